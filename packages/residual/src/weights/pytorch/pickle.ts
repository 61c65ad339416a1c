/** A restricted unpickler: containers, numbers and text, and the few objects that its caller knows by name.
 *  It calls nothing and imports nothing; any other opcode or global is refused by its name (Python's pickletools.py). */

import { WeightsError } from '../errors.ts';
import { show } from '../reader.ts';

/** A class or function that the pickle names. What it is to us, `PickleSpace.find` says. */
export class PickleGlobal {
  /** E.g. `torch._utils._rebuild_tensor_v2`. */
  readonly name: string;
  /** What calling it gives; absent where it is a value, such as a type of storage, and cannot be called. */
  readonly call: ((args: readonly unknown[]) => unknown) | undefined;

  constructor(name: string, call?: (args: readonly unknown[]) => unknown) {
    this.name = name;
    this.call = call;
  }
}

export interface PickleSpace {
  /** For messages. */
  readonly file: string;
  /** @throws WeightsError for what is not known */
  find(module: string, name: string): PickleGlobal;
  /** The object that a persistent id stands for. */
  load(id: unknown): unknown;
}

/** Thrown where the bytes end before the pickle does, for a caller who has more of them. */
export class PickleCut extends WeightsError {}

const STOP = 0x2e;
/** Opcodes that exist, make objects or what no weights need, and are refused. For messages. */
const REFUSED: ReadonlyMap<number, string> = new Map([
  [0x53, 'STRING'],
  [0x56, 'UNICODE'],
  [0x69, 'INST'],
  [0x6f, 'OBJ'],
  [0x81, 'NEWOBJ'],
  [0x82, 'EXT1'],
  [0x83, 'EXT2'],
  [0x84, 'EXT4'],
  [0x8b, 'LONG4'],
  [0x92, 'NEWOBJ_EX'],
  [0x96, 'BYTEARRAY8'],
  [0x97, 'NEXT_BUFFER'],
  [0x98, 'READONLY_BUFFER'],
]);

/** A state dict of 1,000 tensors has 30,000 opcodes and 7,000 objects. */
const MOST_OPCODES = 2 ** 22;
const MOST_OBJECTS = 2 ** 19;
const MOST_MEMOS = 2 ** 20;

/**
 * What the pickle that begins at the start of `bytes` says, and where it ends. Lists, tuples and sets become arrays,
 * dicts Maps, long integers bigints where they are not safe. What is shared or cyclic stays so.
 *
 * @throws PickleCut where it is longer than `bytes`; WeightsError for anything that is not known
 */
export function unpickle(bytes: Uint8Array, space: PickleSpace): { readonly value: unknown; readonly end: number } {
  return new Unpickler(bytes, space).run();
}

class Unpickler {
  /** What each opcode does: its code, its name in Python's pickletools, and the step. */
  private static readonly STEPS: readonly (readonly [code: number, name: string, step: (u: Unpickler) => void])[] = [
    [0x80, 'PROTO', (u) => u.checkProtocol(u.u8())],
    // Frames only help those who read ahead.
    [0x95, 'FRAME', (u) => u.skip(8)],

    [0x4e, 'NONE', (u) => u.push(null)],
    [0x88, 'NEWTRUE', (u) => u.push(true)],
    [0x89, 'NEWFALSE', (u) => u.push(false)],
    [0x4a, 'BININT', (u) => u.push(u.view.getInt32(u.skip(4), true))],
    [0x4b, 'BININT1', (u) => u.push(u.u8())],
    [0x4d, 'BININT2', (u) => u.push(u.view.getUint16(u.skip(2), true))],
    [0x8a, 'LONG1', (u) => u.push(u.long(u.u8()))],
    [0x49, 'INT', (u) => u.push(u.decimal())],
    [0x4c, 'LONG', (u) => u.push(u.decimal())],
    [0x47, 'BINFLOAT', (u) => u.push(u.view.getFloat64(u.skip(8)))],
    [0x46, 'FLOAT', (u) => u.push(Number(u.line()))],

    [0x55, 'SHORT_BINSTRING', (u) => u.push(u.text(u.u8()))],
    [0x54, 'BINSTRING', (u) => u.push(u.text(u.u32()))],
    [0x8c, 'SHORT_BINUNICODE', (u) => u.push(u.text(u.u8()))],
    [0x58, 'BINUNICODE', (u) => u.push(u.text(u.u32()))],
    [0x8d, 'BINUNICODE8', (u) => u.push(u.text(u.u64()))],
    [0x43, 'SHORT_BINBYTES', (u) => u.push(u.raw(u.u8()))],
    [0x42, 'BINBYTES', (u) => u.push(u.raw(u.u32()))],
    [0x8e, 'BINBYTES8', (u) => u.push(u.raw(u.u64()))],

    [0x5d, 'EMPTY_LIST', (u) => u.make([])],
    [0x6c, 'LIST', (u) => u.make(u.popMark())],
    [0x61, 'APPEND', (u) => u.append([u.pop()])],
    [0x65, 'APPENDS', (u) => u.append(u.popMark())],
    [0x29, 'EMPTY_TUPLE', (u) => u.make([])],
    [0x85, 'TUPLE1', (u) => u.make(u.popMany(1))],
    [0x86, 'TUPLE2', (u) => u.make(u.popMany(2))],
    [0x87, 'TUPLE3', (u) => u.make(u.popMany(3))],
    [0x74, 'TUPLE', (u) => u.make(u.popMark())],
    [0x8f, 'EMPTY_SET', (u) => u.make([])],
    [0x90, 'ADDITEMS', (u) => u.append(u.popMark())],
    [0x91, 'FROZENSET', (u) => u.make(u.popMark())],
    [0x7d, 'EMPTY_DICT', (u) => u.make(new Map())],
    [0x64, 'DICT', (u) => u.makeDict(u.popMark())],
    [0x73, 'SETITEM', (u) => u.setItems(u.popMany(2))],
    [0x75, 'SETITEMS', (u) => u.setItems(u.popMark())],

    [0x28, 'MARK', (u) => u.mark()],
    // On an empty stack it takes a mark off, as Python's does.
    [0x30, 'POP', (u) => (u.stack.length > 0 ? u.pop() : u.popMark())],
    [0x31, 'POP_MARK', (u) => u.popMark()],
    [0x32, 'DUP', (u) => u.push(u.top())],
    [0x70, 'PUT', (u) => u.remember(Number(u.decimal()))],
    [0x71, 'BINPUT', (u) => u.remember(u.u8())],
    [0x72, 'LONG_BINPUT', (u) => u.remember(u.u32())],
    [0x94, 'MEMOIZE', (u) => u.remember(u.memo.size)],
    [0x67, 'GET', (u) => u.recall(Number(u.decimal()))],
    [0x68, 'BINGET', (u) => u.recall(u.u8())],
    [0x6a, 'LONG_BINGET', (u) => u.recall(u.u32())],

    [0x63, 'GLOBAL', (u) => u.push(u.space.find(u.line(), u.line()))],
    [0x93, 'STACK_GLOBAL', (u) => u.findOnStack()],
    [0x50, 'PERSID', (u) => u.push(u.space.load(u.line()))],
    [0x51, 'BINPERSID', (u) => u.push(u.space.load(u.pop()))],
    [0x52, 'REDUCE', (u) => u.reduce()],
    [0x62, 'BUILD', (u) => u.build()],
  ];
  private static readonly BY_CODE = new Map(Unpickler.STEPS.map(([code, , step]) => [code, step]));

  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly space: PickleSpace;
  private at = 0;
  private stack: unknown[] = [];
  /** The stacks below each mark. */
  private readonly marked: unknown[][] = [];
  private readonly memo = new Map<number, unknown>();
  private readonly decoder = new TextDecoder();
  private objects = 0;

  constructor(bytes: Uint8Array, space: PickleSpace) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.space = space;
  }

  run(): { readonly value: unknown; readonly end: number } {
    for (let count = 0; count < MOST_OPCODES; count++) {
      const code = this.u8();
      if (code === STOP) return { value: this.pop(), end: this.at };
      const step = Unpickler.BY_CODE.get(code);
      if (!step) {
        const name = REFUSED.get(code) ?? `0x${code.toString(16).padStart(2, '0')}`;
        throw this.fail(`it has the opcode ${name}, which no tensor, container or number needs`);
      }
      step(this);
    }
    throw this.fail(`it has more than ${MOST_OPCODES} opcodes`);
  }

  private checkProtocol(protocol: number): void {
    if (protocol > 5) throw this.fail(`its protocol is ${protocol}, which is newer than 5`);
  }

  private fail(problem: string): WeightsError {
    return new WeightsError(`${this.space.file}: no readable pickle: ${problem} (at its byte ${this.at})`);
  }

  /** The position of `length` bytes, which are then behind. */
  private skip(length: number): number {
    const { at } = this;
    if (at + length > this.bytes.length)
      throw new PickleCut(`${this.space.file}: is cut off or damaged: its pickle has no end`);
    this.at += length;
    return at;
  }
  private u8(): number {
    return this.bytes[this.skip(1)];
  }
  private u32(): number {
    return this.view.getUint32(this.skip(4), true);
  }
  private u64(): number {
    return Number(this.view.getBigUint64(this.skip(8), true));
  }
  private raw(length: number): Uint8Array {
    const from = this.skip(length);
    return this.bytes.subarray(from, from + length);
  }
  private text(length: number): string {
    return this.decoder.decode(this.raw(length));
  }
  private line(): string {
    const end = this.bytes.subarray(0, this.at + 1024).indexOf(0x0a, this.at);
    if (end < 0 && this.at + 1024 < this.bytes.length) throw this.fail('a line has more than 1024 bytes');
    const text = this.text(end < 0 ? Number.POSITIVE_INFINITY : end - this.at);
    this.skip(1);
    return text;
  }
  private decimal(): number | bigint | boolean {
    const text = this.line();
    // How protocol 0 and 1 write them.
    if (text === '00' || text === '01') return text === '01';
    if (!/^-?\d{1,40}L?$/.test(text)) throw this.fail(`${show(text)} is no integer`);
    return narrow(BigInt(text.replace('L', '')));
  }
  /** Two's complement, little-endian. */
  private long(length: number): number | bigint {
    let value = 0n;
    const bytes = this.raw(length);
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
    return narrow(length === 0 ? 0n : BigInt.asIntN(8 * length, value));
  }

  private push(value: unknown): void {
    this.stack.push(value);
  }
  private pop(): unknown {
    if (this.stack.length === 0) throw this.fail('it takes from an empty stack');
    return this.stack.pop();
  }
  /** In the order in which they were pushed. */
  private popMany(count: number): unknown[] {
    if (this.stack.length < count) throw this.fail('it takes from an empty stack');
    return this.stack.splice(-count);
  }
  private top(): unknown {
    if (this.stack.length === 0) throw this.fail('it takes from an empty stack');
    return this.stack.at(-1);
  }
  private mark(): void {
    if (this.marked.length > 1000) throw this.fail('it has more than 1000 open marks');
    this.marked.push(this.stack);
    this.stack = [];
  }
  private popMark(): unknown[] {
    const below = this.marked.pop();
    if (!below) throw this.fail('it misses a mark');
    const items = this.stack;
    this.stack = below;
    return items;
  }
  private remember(index: number): void {
    if (this.memo.size > MOST_MEMOS) throw this.fail(`it memoises more than ${MOST_MEMOS} values`);
    this.memo.set(index, this.top());
  }
  private recall(index: number): void {
    if (!this.memo.has(index)) throw this.fail(`it refers to ${index}, which is not in its memo`);
    this.push(this.memo.get(index));
  }

  private make(object: unknown): void {
    if (++this.objects > MOST_OBJECTS) throw this.fail(`it has more than ${MOST_OBJECTS} objects`);
    this.push(object);
  }
  private makeDict(items: readonly unknown[]): void {
    this.make(new Map());
    this.setItems(items);
  }
  private append(items: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.fail('it appends to what is no list');
    for (const item of items) list.push(item);
  }
  private setItems(items: readonly unknown[]): void {
    const dict = this.top();
    if (!(dict instanceof Map)) throw this.fail('it sets an item of what is no dict');
    if (items.length % 2 !== 0) throw this.fail('it sets an item without a value');
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
  }

  private findOnStack(): void {
    const [module, name] = this.popMany(2);
    if (typeof name !== 'string' || typeof module !== 'string') throw this.fail('a global has no name');
    this.push(this.space.find(module, name));
  }
  private reduce(): void {
    const [callee, args] = this.popMany(2);
    if (!(callee instanceof PickleGlobal)) throw this.fail('it calls what is no global');
    if (!callee.call) throw this.fail(`it calls ${show(callee.name)}, which is a value here`);
    if (!Array.isArray(args)) throw this.fail(`it calls ${show(callee.name)} without arguments`);
    this.make(callee.call(args));
  }
  /** State beside a container, such as the versions that PyTorch keeps of each module: nothing of it is weights. */
  private build(): void {
    this.pop();
    if (!(this.top() instanceof Map)) throw this.fail('it sets attributes of what is no dict');
  }
}

const narrow = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;

/**
 * A small WebAssembly assembler: typed expressions in, module bytes out.
 * Instructions keep the names of the specification (`i32.add`, `f32x4.mul`, `v128.load`).
 */

export type ValType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

const VALTYPE: Record<ValType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/** A growing byte string. */
export class Bytes {
  private buffer = new Uint8Array(1024);
  length = 0;

  byte(value: number): void {
    if (this.length === this.buffer.length) this.grow(1);
    this.buffer[this.length++] = value;
  }

  /** LEB128, unsigned. */
  u(value: number): void {
    let v = value >>> 0;
    while (v > 0x7f) {
      this.byte((v & 0x7f) | 0x80);
      v >>>= 7;
    }
    this.byte(v);
  }

  /** LEB128, signed, 32 bits. */
  s(value: number): void {
    let v = value | 0;
    for (;;) {
      const low = v & 0x7f;
      v >>= 7;
      if ((v === 0 && (low & 0x40) === 0) || (v === -1 && (low & 0x40) !== 0)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  f32(value: number): void {
    SCRATCH.setFloat32(0, value, true);
    for (let i = 0; i < 4; i++) this.byte(SCRATCH.getUint8(i));
  }

  f64(value: number): void {
    SCRATCH.setFloat64(0, value, true);
    for (let i = 0; i < 8; i++) this.byte(SCRATCH.getUint8(i));
  }

  name(text: string): void {
    const encoded = new TextEncoder().encode(text);
    this.u(encoded.length);
    this.append(encoded);
  }

  append(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.buffer.length) this.grow(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  view(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  private grow(need: number): void {
    const next = new Uint8Array(Math.max(this.buffer.length * 2, this.length + need));
    next.set(this.view());
    this.buffer = next;
  }
}

const SCRATCH = new DataView(new ArrayBuffer(8));

/** Something that leaves a value on the stack, or, as a statement, leaves nothing. */
export interface Expr {
  emit(out: Bytes): void;
}

/** A local variable; used as an expression it reads itself. */
export class Local implements Expr {
  readonly index: number;
  readonly type: ValType;

  constructor(index: number, type: ValType) {
    this.index = index;
    this.type = type;
  }

  emit(out: Bytes): void {
    out.byte(0x20);
    out.u(this.index);
  }
}

class Op implements Expr {
  private readonly opcode: number;
  private readonly args: readonly Expr[];

  constructor(opcode: number, args: readonly Expr[]) {
    this.opcode = opcode;
    this.args = args;
  }

  emit(out: Bytes): void {
    for (const arg of this.args) arg.emit(out);
    emitOpcode(out, this.opcode);
  }
}

/** Opcodes above 0xff carry their prefix byte in bits 16 and up: 0xfd0000 | simd opcode. */
function emitOpcode(out: Bytes, opcode: number): void {
  if (opcode > 0xff) {
    out.byte(opcode >>> 16);
    out.u(opcode & 0xffff);
  } else {
    out.byte(opcode);
  }
}

class MemoryOp implements Expr {
  private readonly opcode: number;
  private readonly align: number;
  private readonly args: readonly Expr[];
  private readonly offset: number;

  constructor(opcode: number, align: number, args: readonly Expr[], offset: number) {
    this.opcode = opcode;
    this.align = align;
    this.args = args;
    this.offset = offset;
  }

  emit(out: Bytes): void {
    for (const arg of this.args) arg.emit(out);
    emitOpcode(out, this.opcode);
    out.u(this.align);
    out.u(this.offset);
  }
}

class Raw implements Expr {
  private readonly write: (out: Bytes) => void;

  constructor(write: (out: Bytes) => void) {
    this.write = write;
  }

  emit(out: Bytes): void {
    this.write(out);
  }
}

const op1 = (code: number) => (a: Expr) => new Op(code, [a]);
const op2 = (code: number) => (a: Expr, b: Expr) => new Op(code, [a, b]);
const op3 = (code: number) => (a: Expr, b: Expr, c: Expr) => new Op(code, [a, b, c]);
const load =
  (code: number, align: number) =>
  (addr: Expr, offset = 0) =>
    new MemoryOp(code, align, [addr], offset);
const store =
  (code: number, align: number) =>
  (addr: Expr, value: Expr, offset = 0) =>
    new MemoryOp(code, align, [addr, value], offset);

export const i32 = {
  const: (value: number): Expr =>
    new Raw((out) => {
      out.byte(0x41);
      out.s(value);
    }),
  load: load(0x28, 2),
  load8_u: load(0x2d, 0),
  load8_s: load(0x2c, 0),
  store: store(0x36, 2),
  store8: store(0x3a, 0),
  eqz: op1(0x45),
  eq: op2(0x46),
  ne: op2(0x47),
  lt_s: op2(0x48),
  lt_u: op2(0x49),
  gt_s: op2(0x4a),
  gt_u: op2(0x4b),
  le_s: op2(0x4c),
  le_u: op2(0x4d),
  ge_s: op2(0x4e),
  ge_u: op2(0x4f),
  clz: op1(0x67),
  ctz: op1(0x68),
  add: op2(0x6a),
  sub: op2(0x6b),
  mul: op2(0x6c),
  div_s: op2(0x6d),
  div_u: op2(0x6e),
  rem_s: op2(0x6f),
  rem_u: op2(0x70),
  and: op2(0x71),
  or: op2(0x72),
  xor: op2(0x73),
  shl: op2(0x74),
  shr_s: op2(0x75),
  shr_u: op2(0x76),
  trunc_sat_f32_s: op1(0xfc0000),
  trunc_sat_f32_u: op1(0xfc0001),
  reinterpret_f32: op1(0xbc),
  wrap_i64: op1(0xa7),
  /** `memory.atomic.notify(addr, count)` → number of waiters woken. */
  atomic_notify: (addr: Expr, count: Expr, offset = 0): Expr => new MemoryOp(0xfe0000, 2, [addr, count], offset),
  /** `memory.atomic.wait32(addr, expected, timeout in ns as f64-free i64 const)` → 0 ok, 1 not-equal, 2 timed-out. */
  atomic_wait: (addr: Expr, expected: Expr, offset = 0): Expr =>
    new Raw((out) => {
      addr.emit(out);
      expected.emit(out);
      out.byte(0x42); // i64.const -1: no time limit
      out.byte(0x7f);
      out.byte(0xfe);
      out.u(1);
      out.u(2);
      out.u(offset);
    }),
  atomic_load: load(0xfe0010, 2),
  atomic_store: store(0xfe0017, 2),
  atomic_rmw_add: store(0xfe001e, 2),
} as const;

export const i64 = {
  /** A constant of at most 32 bits, signed. */
  const: (value: number): Expr =>
    new Raw((out) => {
      out.byte(0x42);
      out.s(value);
    }),
  add: op2(0x7c),
  mul: op2(0x7e),
  shr_s: op2(0x87),
  extend_i32_s: op1(0xac),
} as const;

export const f32 = {
  const: (value: number): Expr =>
    new Raw((out) => {
      out.byte(0x43);
      out.f32(value);
    }),
  load: load(0x2a, 2),
  store: store(0x38, 2),
  eq: op2(0x5b),
  ne: op2(0x5c),
  lt: op2(0x5d),
  gt: op2(0x5e),
  le: op2(0x5f),
  ge: op2(0x60),
  abs: op1(0x8b),
  neg: op1(0x8c),
  ceil: op1(0x8d),
  floor: op1(0x8e),
  trunc: op1(0x8f),
  nearest: op1(0x90),
  sqrt: op1(0x91),
  add: op2(0x92),
  sub: op2(0x93),
  mul: op2(0x94),
  div: op2(0x95),
  min: op2(0x96),
  max: op2(0x97),
  copysign: op2(0x98),
  convert_i32_s: op1(0xb2),
  convert_i32_u: op1(0xb3),
  demote_f64: op1(0xb6),
  reinterpret_i32: op1(0xbe),
} as const;

export const f64 = {
  const: (value: number): Expr =>
    new Raw((out) => {
      out.byte(0x44);
      out.f64(value);
    }),
  load: load(0x2b, 3),
  store: store(0x39, 3),
  add: op2(0xa0),
  sub: op2(0xa1),
  mul: op2(0xa2),
  div: op2(0xa3),
  promote_f32: op1(0xbb),
  convert_i32_s: op1(0xb7),
} as const;

const simd = (code: number) => 0xfd0000 | code;
const lane = (code: number) => (a: Expr, index: number) =>
  new Raw((out) => {
    a.emit(out);
    emitOpcode(out, simd(code));
    out.byte(index);
  });
const replaceLane = (code: number) => (a: Expr, index: number, value: Expr) =>
  new Raw((out) => {
    a.emit(out);
    value.emit(out);
    emitOpcode(out, simd(code));
    out.byte(index);
  });

export const v128 = {
  load: load(simd(0x00), 4),
  load8x8_s: load(simd(0x01), 3),
  load8x8_u: load(simd(0x02), 3),
  load16x4_s: load(simd(0x03), 3),
  load16x4_u: load(simd(0x04), 3),
  load32_splat: load(simd(0x09), 2),
  load32_zero: load(simd(0x5c), 2),
  load64_zero: load(simd(0x5d), 3),
  store: store(simd(0x0b), 4),
  store32_lane: (addr: Expr, value: Expr, index: number, offset = 0): Expr =>
    new Raw((out) => {
      addr.emit(out);
      value.emit(out);
      emitOpcode(out, simd(0x5a));
      out.u(2);
      out.u(offset);
      out.byte(index);
    }),
  /** Four 32-bit lanes, given as floats. */
  const_f32x4: (a: number, b = a, c = a, d = a): Expr =>
    new Raw((out) => {
      emitOpcode(out, simd(0x0c));
      for (const x of [a, b, c, d]) out.f32(x);
    }),
  /** Four 32-bit lanes, given as integers. */
  const_i32x4: (a: number, b = a, c = a, d = a): Expr =>
    new Raw((out) => {
      emitOpcode(out, simd(0x0c));
      for (const x of [a, b, c, d]) for (let i = 0; i < 4; i++) out.byte((x >>> (8 * i)) & 0xff);
    }),
  /** `i8x16.shuffle` of whole 32-bit lanes: 0–3 from a, 4–7 from b. */
  shuffle32: (a: Expr, b: Expr, lanes: readonly [number, number, number, number]): Expr =>
    new Raw((out) => {
      a.emit(out);
      b.emit(out);
      emitOpcode(out, simd(0x0d));
      for (const l of lanes) for (let i = 0; i < 4; i++) out.byte(l * 4 + i);
    }),
  not: op1(simd(0x4d)),
  and: op2(simd(0x4e)),
  andnot: op2(simd(0x4f)),
  or: op2(simd(0x50)),
  xor: op2(simd(0x51)),
  /** bitselect(a, b, mask): bits of a where mask is 1, else b. */
  bitselect: op3(simd(0x52)),
  any_true: op1(simd(0x53)),
} as const;

export const f32x4 = {
  splat: op1(simd(0x13)),
  extract_lane: lane(0x1f),
  replace_lane: replaceLane(0x20),
  eq: op2(simd(0x41)),
  ne: op2(simd(0x42)),
  lt: op2(simd(0x43)),
  gt: op2(simd(0x44)),
  le: op2(simd(0x45)),
  ge: op2(simd(0x46)),
  ceil: op1(simd(0x67)),
  floor: op1(simd(0x68)),
  trunc: op1(simd(0x69)),
  nearest: op1(simd(0x6a)),
  abs: op1(simd(0xe0)),
  neg: op1(simd(0xe1)),
  sqrt: op1(simd(0xe3)),
  add: op2(simd(0xe4)),
  sub: op2(simd(0xe5)),
  mul: op2(simd(0xe6)),
  div: op2(simd(0xe7)),
  min: op2(simd(0xe8)),
  max: op2(simd(0xe9)),
  /** pmin(a, b) = b < a ? b : a. */
  pmin: op2(simd(0xea)),
  /** pmax(a, b) = a < b ? b : a. */
  pmax: op2(simd(0xeb)),
  convert_i32x4_s: op1(simd(0xfa)),
  convert_i32x4_u: op1(simd(0xfb)),
  /** a·b + c, rounded once or twice. Relaxed SIMD: only where `features.relaxed`. */
  relaxed_madd: op3(simd(0x105)),
  /** −(a·b) + c. */
  relaxed_nmadd: op3(simd(0x106)),
} as const;

export const i32x4 = {
  splat: op1(simd(0x11)),
  extract_lane: lane(0x1b),
  replace_lane: replaceLane(0x1c),
  eq: op2(simd(0x37)),
  ne: op2(simd(0x38)),
  lt_s: op2(simd(0x39)),
  gt_s: op2(simd(0x3b)),
  le_s: op2(simd(0x3d)),
  ge_s: op2(simd(0x3f)),
  abs: op1(simd(0xa0)),
  neg: op1(simd(0xa1)),
  shl: op2(simd(0xab)),
  shr_s: op2(simd(0xac)),
  shr_u: op2(simd(0xad)),
  add: op2(simd(0xae)),
  sub: op2(simd(0xb1)),
  mul: op2(simd(0xb5)),
  min_s: op2(simd(0xb6)),
  max_s: op2(simd(0xb8)),
  extend_low_i16x8_s: op1(simd(0xa7)),
  extend_high_i16x8_s: op1(simd(0xa8)),
  extend_low_i16x8_u: op1(simd(0xa9)),
  /** Products of neighbouring pairs, added: lane i is a[2i]·b[2i] + a[2i+1]·b[2i+1]. */
  dot_i16x8_s: op2(simd(0xba)),
  extmul_low_i16x8_s: op2(simd(0xbc)),
  extmul_high_i16x8_s: op2(simd(0xbd)),
  trunc_sat_f32x4_s: op1(simd(0xf8)),
  bitmask: op1(simd(0xa4)),
} as const;

export const i8x16 = {
  splat: op1(simd(0x0f)),
  /** Sixteen lanes from two vectors of eight, each held within −128 … 127. */
  narrow_i16x8_s: op2(simd(0x65)),
  min_s: op2(simd(0x76)),
  max_s: op2(simd(0x78)),
} as const;

export const i16x8 = {
  splat: op1(simd(0x10)),
  narrow_i32x4_s: op2(simd(0x85)),
  extend_low_i8x16_s: op1(simd(0x87)),
  extend_high_i8x16_s: op1(simd(0x88)),
  add: op2(simd(0x8e)),
  sub: op2(simd(0x91)),
} as const;

export const i64x2 = {
  shr_u: op2(simd(0xcd)),
  add: op2(simd(0xce)),
  extmul_low_i32x4_s: op2(simd(0xdc)),
  extmul_high_i32x4_s: op2(simd(0xdd)),
} as const;

/** `select(a, b, condition)`: a where the i32 condition is not 0. */
export const select = op3(0x1b);

/** Calls a function of this module, or an imported one, by its index. */
export function call(func: number, ...args: Expr[]): Expr {
  return new Raw((out) => {
    for (const arg of args) arg.emit(out);
    out.byte(0x10);
    out.u(func);
  });
}

/** `local.tee`: sets the local and leaves the value. */
export function tee(local: Local, value: Expr): Expr {
  return new Raw((out) => {
    value.emit(out);
    out.byte(0x22);
    out.u(local.index);
  });
}

/** A branch target, made by `block` and `loop`. */
export interface Label {
  readonly depth: number;
}

/** The body of one function: locals, statements, structured control flow. */
export class Func {
  readonly params: readonly Local[];
  private readonly localTypes: ValType[] = [];
  private readonly code = new Bytes();
  private depth = 0;

  constructor(paramTypes: readonly ValType[]) {
    this.params = paramTypes.map((type, index) => new Local(index, type));
  }

  local(type: ValType): Local {
    this.localTypes.push(type);
    return new Local(this.params.length + this.localTypes.length - 1, type);
  }

  locals(type: ValType, count: number): Local[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  param(index: number): Local {
    const param = this.params[index];
    if (param === undefined) throw new Error(`internal: no parameter ${index}`);
    return param;
  }

  /** Appends a statement (a store, a call without result), or leaves an expression's value on the stack. */
  push(statement: Expr): void {
    statement.emit(this.code);
  }

  drop(value: Expr): void {
    value.emit(this.code);
    this.code.byte(0x1a);
  }

  set(local: Local, value: Expr): void {
    value.emit(this.code);
    this.code.byte(0x21);
    this.code.u(local.index);
  }

  /** local += bytes, for an i32 local. */
  inc(local: Local, by: number | Expr): void {
    this.set(local, i32.add(local, typeof by === 'number' ? i32.const(by) : by));
  }

  block(body: (end: Label) => void): void {
    this.open(0x02, body);
  }

  loop(body: (top: Label) => void): void {
    this.open(0x03, body);
  }

  if(condition: Expr, then: () => void, otherwise?: () => void): void {
    condition.emit(this.code);
    this.code.byte(0x04);
    this.code.byte(0x40);
    this.depth++;
    then();
    if (otherwise) {
      this.code.byte(0x05);
      otherwise();
    }
    this.depth--;
    this.code.byte(0x0b);
  }

  br(label: Label): void {
    this.code.byte(0x0c);
    this.code.u(this.depth - label.depth);
  }

  brIf(label: Label, condition: Expr): void {
    condition.emit(this.code);
    this.code.byte(0x0d);
    this.code.u(this.depth - label.depth);
  }

  return(): void {
    this.code.byte(0x0f);
  }

  /** Runs `body` with `counter` = from, from+step, … while counter < to (unsigned). The test comes first: zero rounds are fine. */
  for(counter: Local, from: number | Expr, to: number | Expr, step: number | Expr, body: () => void): void {
    const expr = (x: number | Expr) => (typeof x === 'number' ? i32.const(x) : x);
    this.set(counter, expr(from));
    this.block((end) => {
      this.brIf(end, i32.ge_u(counter, expr(to)));
      this.loop((top) => {
        body();
        this.set(counter, i32.add(counter, expr(step)));
        this.brIf(top, i32.lt_u(counter, expr(to)));
      });
    });
  }

  /** The bytes of the code section's entry. */
  encode(): Uint8Array {
    const body = new Bytes();
    const runs: { type: ValType; count: number }[] = [];
    for (const type of this.localTypes) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    body.u(runs.length);
    for (const run of runs) {
      body.u(run.count);
      body.byte(VALTYPE[run.type]);
    }
    body.append(this.code.view());
    body.byte(0x0b);
    return body.view();
  }

  private open(opcode: number, body: (label: Label) => void): void {
    this.code.byte(opcode);
    this.code.byte(0x40);
    this.depth++;
    body({ depth: this.depth });
    this.depth--;
    this.code.byte(0x0b);
  }
}

interface Signature {
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
}

/** A module over one imported memory (`env.memory`), shared or not. Import functions before defining any. */
export class ModuleBuilder {
  private readonly types: Signature[] = [];
  private readonly imports: { module: string; name: string; type: number }[] = [];
  private readonly functions: { type: number; body: Uint8Array | undefined }[] = [];
  private readonly exports: { name: string; func: number }[] = [];

  importFunc(module: string, name: string, params: readonly ValType[], results: readonly ValType[] = []): number {
    if (this.functions.length > 0) throw new Error('internal: import functions before defining any');
    this.imports.push({ module, name, type: this.type(params, results) });
    return this.imports.length - 1;
  }

  /** Defines a function and returns its index; with `name` it is exported. */
  func(name: string | null, params: readonly ValType[], results: readonly ValType[], build: (f: Func) => void): number {
    const slot = { type: this.type(params, results), body: undefined as Uint8Array | undefined };
    this.functions.push(slot);
    const index = this.imports.length + this.functions.length - 1;
    const f = new Func(params);
    build(f);
    slot.body = f.encode();
    if (name !== null) this.exports.push({ name, func: index });
    return index;
  }

  encode(shared = true): Uint8Array<ArrayBuffer> {
    const out = new Bytes();
    out.append(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    section(out, 1, (s) => {
      s.u(this.types.length);
      for (const { params, results } of this.types) {
        s.byte(0x60);
        for (const list of [params, results]) {
          s.u(list.length);
          for (const t of list) s.byte(VALTYPE[t]);
        }
      }
    });
    section(out, 2, (s) => {
      s.u(this.imports.length + 1);
      for (const { module, name, type } of this.imports) {
        s.name(module);
        s.name(name);
        s.byte(0);
        s.u(type);
      }
      s.name('env');
      s.name('memory');
      s.byte(2);
      s.byte(shared ? 3 : 1); // both with a maximum
      s.u(1);
      s.u(65536);
    });
    section(out, 3, (s) => {
      s.u(this.functions.length);
      for (const { type } of this.functions) s.u(type);
    });
    section(out, 7, (s) => {
      s.u(this.exports.length);
      for (const { name, func } of this.exports) {
        s.name(name);
        s.byte(0);
        s.u(func);
      }
    });
    section(out, 10, (s) => {
      s.u(this.functions.length);
      for (const { body } of this.functions) {
        if (body === undefined) throw new Error('internal: a function has no body');
        s.u(body.length);
        s.append(body);
      }
    });
    return out.view().slice();
  }

  private type(params: readonly ValType[], results: readonly ValType[]): number {
    const found = this.types.findIndex((t) => t.params.join() === params.join() && t.results.join() === results.join());
    if (found >= 0) return found;
    this.types.push({ params, results });
    return this.types.length - 1;
  }
}

function section(out: Bytes, id: number, write: (s: Bytes) => void): void {
  const body = new Bytes();
  write(body);
  out.byte(id);
  out.u(body.length);
  out.append(body.view());
}

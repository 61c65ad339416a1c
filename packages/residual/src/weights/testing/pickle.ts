/** Writes pickles opcode by opcode, for tests of what Python's own pickler would never write. */

const ascii = (text: string) => new TextEncoder().encode(text);
const u32 = (value: number) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];

export type Code = readonly number[];

export const op = {
  proto: [0x80, 2],
  stop: [0x2e],
  mark: [0x28],
  none: [0x4e],
  emptyList: [0x5d],
  emptyDict: [0x7d],
  emptyTuple: [0x29],
  append: [0x61],
  appends: [0x65],
  setItem: [0x73],
  setItems: [0x75],
  reduce: [0x52],
  persid: [0x51],
  int: (value: number) => [0x4a, ...u32(value)],
  text: (value: string) => [0x58, ...u32(ascii(value).length), ...ascii(value)],
  global: (module: string, name: string) => [0x63, ...ascii(`${module}\n${name}\n`)],
  put: (index: number) => [0x72, ...u32(index)],
  get: (index: number) => [0x6a, ...u32(index)],
  tuple: (...items: readonly Code[]) => [0x28, ...items.flat(), 0x74],
  call: (module: string, name: string, ...args: readonly Code[]): Code => [
    ...op.global(module, name),
    ...op.tuple(...args),
    0x52,
  ],
  dict: (entries: Readonly<Record<string, Code>>): Code => [
    0x7d,
    0x28,
    ...Object.entries(entries).flatMap(([key, value]) => [...op.text(key), ...value]),
    0x75,
  ],
} as const satisfies Record<string, Code | ((...args: never[]) => Code)>;

export const pickle = (...codes: readonly Code[]) => Uint8Array.from([op.proto, ...codes, op.stop].flat());

export interface TestTensor {
  readonly storage?: string;
  readonly key?: string;
  /** Numbers in the storage. */
  readonly count?: number;
  readonly offset?: number;
  readonly shape?: readonly number[];
  readonly strides?: readonly number[];
}

/** A float32 tensor of 4 numbers of storage 0, with whatever is said otherwise. */
export function tensor({ storage = 'FloatStorage', key = '0', count = 4, ...view }: TestTensor = {}): Code {
  const { offset = 0, shape = [4], strides = [1] } = view;
  const numbers = (list: readonly number[]) => op.tuple(...list.map(op.int));
  const id = op.tuple(op.text('storage'), op.global('torch', storage), op.text(key), op.text('cpu'), op.int(count));
  const args = [[...id, ...op.persid], op.int(offset), numbers(shape), numbers(strides), [0x89], op.none];
  return op.call('torch._utils', '_rebuild_tensor_v2', ...args);
}

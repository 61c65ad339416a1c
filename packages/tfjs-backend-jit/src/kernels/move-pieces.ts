/**
 * How row-wise kernels are cut into pieces, and how they walk a row: eight lanes at a time, then four, then one.
 * The cutting depends on the shapes alone, so that results are the same bits on any number of threads.
 */
import { type Expr, type Func, i32, type Local, select, v128 } from '../wasm/assembler.ts';
import type { Kernel } from './kernel.ts';

/** Pieces smaller than this cost more in hand-over than they win in balance. */
const MIN_ELEMENTS = 32 * 1024;
const MAX_PIECES = 64;

/** A cut of `rows` rows: piece p takes rows [p·per, min((p+1)·per, rows)). */
export interface Cut {
  readonly rows: number;
  readonly per: number;
  readonly pieces: number;
}

/** Cuts `rows` rows of `work` elements each into at most 64 pieces of at least 32 Ki elements. */
export function cutRows(rows: number, work: number): Cut {
  const wanted = Math.max(1, Math.min(rows, MAX_PIECES, Math.floor((rows * work) / MIN_ELEMENTS)));
  const per = Math.max(1, Math.ceil(rows / wanted));
  return { rows, per, pieces: Math.max(1, Math.ceil(rows / per)) };
}

/** A range of rows, or of taps: [from, to). */
export interface Range {
  readonly from: Local;
  readonly to: Local;
}

/** What a row-wise kernel says of itself; `key` is completed with its name. */
export interface RowKernel {
  readonly name: string;
  /** Everything else that the code depends on. */
  readonly shape: unknown;
  readonly buffers: number;
  readonly cut: Cut;
  readonly bytes: number;
  readonly flops?: number;
  readonly scratch?: number;
}

/** A kernel whose pieces are ranges of rows. The buffers are parameters 2 and up; parameter 1 is scratch. */
export function rowKernel(about: RowKernel, emit: (f: Func, rows: Range) => void): Kernel {
  const { name, shape, buffers, cut, bytes, flops = 0, scratch = 0 } = about;
  return {
    name,
    key: `${name} ${JSON.stringify(shape)}`,
    buffers,
    pieces: cut.pieces,
    scratch,
    flops,
    bytes,
    emit: (module) => {
      module.func('k', ['i32', 'i32', ...Array<'i32'>(buffers).fill('i32')], [], (f) => emit(f, pieceRows(f, cut)));
    },
  };
}

/** Sets `from` and `to` to the rows of piece `piece`. */
export function pieceRows(f: Func, cut: Cut, piece: Expr = f.param(0)): Range {
  const [from, to] = f.locals('i32', 2);
  f.set(from, i32.mul(piece, i32.const(cut.per)));
  f.set(to, minU(i32.add(from, i32.const(cut.per)), i32.const(cut.rows)));
  return { from, to };
}

/** The smaller of two unsigned numbers. The arguments are evaluated twice. */
export const minU = (a: Expr, b: Expr): Expr => select(a, b, i32.lt_u(a, b));
/** The smaller and the larger of two signed numbers. The arguments are evaluated twice. */
export const minS = (a: Expr, b: Expr): Expr => select(a, b, i32.lt_s(a, b));
export const maxS = (a: Expr, b: Expr): Expr => select(a, b, i32.gt_s(a, b));

/** base + index · bytes, modulo 2³² as addresses are. */
export const at = (base: Expr, index: Expr, bytes: number): Expr => i32.add(base, i32.mul(index, i32.const(bytes)));

/** One stretch of a row: the byte offsets (from the walking pointers) of its vectors, and how many lanes each has. */
export interface Block {
  readonly lanes: 4 | 1;
  /** Two vectors 16 bytes apart make a pair that V8's revectoriser joins. */
  readonly offsets: readonly number[];
}

/**
 * Walks `length` elements: a loop over pairs of vectors that advances every pointer by 32 bytes a round, then the tail at
 * constant offsets. Afterwards each pointer stands at its old place plus `length` elements.
 * The body must touch memory only through `loadBlock` and `storeBlock` with the block's lanes.
 */
export function walk(f: Func, length: number, pointers: readonly Local[], body: (block: Block) => void): void {
  const rounds = Math.floor(length / 8);
  const pair = () => {
    body({ lanes: 4, offsets: [0, 16] });
    for (const p of pointers) f.inc(p, 32);
  };
  if (rounds === 1) pair();
  else if (rounds > 1) {
    const end = f.local('i32');
    const first = pointers[0];
    f.set(end, i32.add(first, i32.const(rounds * 32)));
    f.loop((top) => {
      pair();
      f.brIf(top, i32.ne(first, end));
    });
  }
  const tail = length - rounds * 8;
  if (tail === 0) return;
  if (tail >= 4) body({ lanes: 4, offsets: [0] });
  for (let i = tail & 4; i < tail; i++) body({ lanes: 1, offsets: [i * 4] });
  for (const p of pointers) f.inc(p, tail * 4);
}

/** Loads a vector of a block (`lanes` 1: into lane 0, the others zero). */
export const loadBlock = (block: Block, address: Expr, offset: number): Expr =>
  block.lanes === 4 ? v128.load(address, offset) : v128.load32_zero(address, offset);

/** Stores a vector of a block. Of a pair, store the high half (offset 16) first: the revectoriser starts from there. */
export const storeBlock = (block: Block, address: Expr, value: Expr, offset: number): Expr =>
  block.lanes === 4 ? v128.store(address, value, offset) : v128.store32_lane(address, value, 0, offset);

/** Fills `length` elements from `pointer` on, which is left behind them, with one 32-bit value given as a vector. */
export function fillRow(f: Func, length: number, pointer: Local, value: Expr): void {
  walk(f, length, [pointer], (block) => {
    for (const o of block.offsets.toReversed()) f.push(storeBlock(block, pointer, value, o));
  });
}

/** Fills from `pointer` up to the address `end` (both multiples of 4), leaving `pointer` at `end`. */
export function fillTo(f: Func, pointer: Local, end: Expr, value: Expr): void {
  const bytes = () => i32.sub(end, pointer);
  f.block((done) => {
    f.loop((top) => {
      f.brIf(done, i32.lt_u(bytes(), i32.const(32)));
      f.push(v128.store(pointer, value, 16));
      f.push(v128.store(pointer, value, 0));
      f.inc(pointer, 32);
      f.br(top);
    });
  });
  f.block((done) => {
    f.loop((top) => {
      f.brIf(done, i32.eqz(bytes()));
      f.push(v128.store32_lane(pointer, value, 0));
      f.inc(pointer, 4);
      f.br(top);
    });
  });
}

/**
 * Copying rows: the common part of everything that moves elements without computing.
 * Long rows are cut into segments, so that a few of them still make enough pieces for every thread.
 */
import { type Expr, type Func, i32, type Local, v128 } from '../wasm/assembler.ts';
import { type Block, type Cut, cutRows, loadBlock, minU, type Range, storeBlock, walk } from './move-pieces.ts';

/** Elements of a segment where rows are long and few. */
const SEGMENT = 8192;
const FEW_ROWS = 32;

/** `rows` rows of `length` elements, each in `segments` segments; the cut is over rows · segments. */
export interface CopyPlan {
  readonly length: number;
  readonly segments: number;
  readonly cut: Cut;
}

/** Plans the copying of `rows` rows of `length` elements (for each of which a row does `work` elements' worth). */
export function planCopy(rows: number, length: number): CopyPlan {
  const segments = rows < FEW_ROWS ? Math.ceil(length / SEGMENT) : 1;
  if (segments <= 1) return { length, segments: 1, cut: cutRows(rows, length) };
  return { length, segments, cut: cutRows(rows * segments, SEGMENT) };
}

/** Copies the rows (or segments of rows) [from, to): `place` gives the addresses at which row `row` begins. */
export function copyRows(
  f: Func,
  plan: CopyPlan,
  { from, to }: Range,
  place: (row: Local) => { readonly source: Expr; readonly target: Expr },
): void {
  const [task, row, source, target, start, end] = f.locals('i32', 6);
  f.for(task, from, to, 1, () => {
    if (plan.segments === 1) {
      const { source: s, target: t } = place(task);
      f.set(source, s);
      f.set(target, t);
      copyRow(f, plan.length, source, target);
      return;
    }
    f.set(row, i32.div_u(task, i32.const(plan.segments)));
    f.set(start, i32.mul(i32.rem_u(task, i32.const(plan.segments)), i32.const(SEGMENT * 4)));
    f.set(end, minU(i32.add(start, i32.const(SEGMENT * 4)), i32.const(plan.length * 4)));
    const { source: s, target: t } = place(row);
    f.set(source, s);
    f.set(target, i32.add(t, start));
    f.set(end, i32.add(source, end));
    f.set(source, i32.add(source, start));
    copyTo(f, source, target, end);
  });
}

/** Copies `length` elements; both pointers are left behind them. */
export function copyRow(f: Func, length: number, source: Local, target: Local): void {
  walk(f, length, [source, target], (block) => copyBlock(f, block, source, target));
}

function copyBlock(f: Func, block: Block, source: Local, target: Local): void {
  for (const o of block.offsets.toReversed()) f.push(storeBlock(block, target, loadBlock(block, source, o), o));
}

/** Copies up to the source address `end`. */
function copyTo(f: Func, source: Local, target: Local, end: Local): void {
  const bytes = i32.sub(end, source);
  for (const step of [32, 4]) {
    f.block((done) => {
      f.loop((top) => {
        f.brIf(done, i32.lt_u(bytes, i32.const(step)));
        if (step === 32) copyBlock(f, { lanes: 4, offsets: [0, 16] }, source, target);
        else f.push(v128.store32_lane(target, v128.load32_zero(source), 0));
        f.inc(source, step);
        f.inc(target, step);
        f.br(top);
      });
    });
  }
}

/**
 * The index of the largest or smallest element along an axis. Behind the axis lie `inner` elements: with one, a row is
 * searched for its extreme and then for the extreme's first place; with more, the search runs in vectors along them.
 */
import { type Expr, type Func, f32, f32x4, i32, i32x4, select, v128 } from '../wasm/assembler.ts';
import { type Features, input, output, type Recipe } from './kernel.ts';
import type { Lane } from './loop-spec.ts';
import { at, cutRows, loadBlock, type Range, rowKernel, storeBlock } from './move-pieces.ts';

type Better = (a: Expr, b: Expr) => Expr;

/** What depends on max or min and on the lane. */
interface Order {
  /** a comes before b: true (all ones) where a strictly beats b. False where either is NaN. */
  readonly beats: Better;
  /** The better of the best so far (a) and a new element (b), the best so far where they are equal or unordered. */
  readonly best: Better;
  /** i32 0 or 1, of two scalars. */
  readonly beatsScalar: Better;
  readonly equalScalar: Better;
  readonly load: (address: Expr) => Expr;
}

function orderOf(kind: 'max' | 'min', lane: Lane): Order {
  const max = kind === 'max';
  if (lane === 'f32') {
    return {
      beats: max ? f32x4.gt : f32x4.lt,
      best: max ? f32x4.pmax : f32x4.pmin,
      beatsScalar: max ? f32.gt : f32.lt,
      equalScalar: f32.eq,
      load: (address) => f32.load(address),
    };
  }
  return {
    beats: max ? i32x4.gt_s : i32x4.lt_s,
    best: max ? i32x4.max_s : i32x4.min_s,
    beatsScalar: max ? i32.gt_s : i32.lt_s,
    equalScalar: i32.eq,
    load: (address) => i32.load(address),
  };
}

/** Lanes along `inner` that are searched together. */
const GROUP = 16;

/**
 * `ArgMax` and `ArgMin`: x [outer, axis, inner] → y [outer, inner] i32. The first of equals wins; NaN never beats anything
 * and, being first, is never beaten, as in tfjs's cpu backend. One step; inputs: x; outputs: y.
 */
export function argReduce(
  kind: 'max' | 'min',
  [outer, axis, inner]: readonly [number, number, number],
  lane: Lane,
  _features: Features,
): Recipe {
  const groups = Math.ceil(inner / GROUP);
  const about = {
    name: `arg${kind} ${outer}x${axis}x${inner} ${lane}`,
    shape: null,
    buffers: 2,
    cut: cutRows(outer * groups, axis * Math.min(inner, GROUP)),
    bytes: (outer * axis * inner + outer * inner) * 4,
    flops: outer * axis * inner,
  };
  const order = orderOf(kind, lane);
  const kernel = rowKernel(about, (f, rows) => {
    if (inner === 1) emitRows(f, order, lane, axis, rows);
    else emitGroups(f, order, axis, inner, rows);
  });
  return { temps: [], steps: [{ kernel, args: [input(0), output(0)] }] };
}

/** inner = 1: the extreme of a row in four lanes (NaN passed over), then its first place. */
function emitRows(f: Func, order: Order, lane: Lane, axis: number, { from, to }: Range): void {
  const [row, start, p, end, out] = f.locals('i32', 5);
  const best = f.local(lane);
  const next = f.local(lane);
  const vector = f.local('v128');
  f.set(out, at(f.param(3), from, 4));
  f.for(row, from, to, 1, () => {
    f.set(start, at(f.param(2), row, axis * 4));
    f.set(best, order.load(start));
    f.set(p, start);
    const whole = axis & ~3;
    if (whole > 0) {
      f.set(vector, v128.load32_splat(start));
      f.set(end, i32.add(start, i32.const(whole * 4)));
      f.loop((top) => {
        f.set(vector, order.best(vector, v128.load(p)));
        f.inc(p, 16);
        f.brIf(top, i32.ne(p, end));
      });
      for (let i = 0; i < 4; i++) {
        f.set(next, (lane === 'f32' ? f32x4 : i32x4).extract_lane(vector, i));
        f.set(best, select(next, best, order.beatsScalar(next, best)));
      }
    }
    for (let i = whole; i < axis; i++) {
      f.set(next, order.load(p));
      f.set(best, select(next, best, order.beatsScalar(next, best)));
      f.inc(p, 4);
    }
    // A first element of NaN equals nothing: the search runs off the row, and the answer is 0.
    f.set(end, i32.add(start, i32.const(axis * 4)));
    f.set(p, start);
    f.block((found) => {
      f.loop((top) => {
        f.brIf(found, order.equalScalar(order.load(p), best));
        f.inc(p, 4);
        f.brIf(top, i32.ne(p, end));
      });
      f.set(p, start);
    });
    f.push(i32.store(out, i32.shr_u(i32.sub(p, start), i32.const(2))));
    f.inc(out, 4);
  });
}

/** inner > 1: best and index of up to 16 neighbouring columns in registers, down the axis. */
function emitGroups(f: Func, order: Order, axis: number, inner: number, { from, to }: Range): void {
  const groups = Math.ceil(inner / GROUP);
  const [task, x, y, p, i] = f.locals('i32', 5);
  const best = f.locals('v128', 4);
  const index = f.locals('v128', 4);
  const [value, beats] = f.locals('v128', 2);
  /** Columns at byte offsets from x and y. */
  const columns = (lanes: 4 | 1, offsets: readonly number[]) => {
    const block = { lanes, offsets };
    offsets.forEach((o, v) => {
      f.set(best[v], loadBlock(block, x, o));
      f.set(index[v], v128.const_i32x4(0));
    });
    f.set(p, x);
    f.for(i, 1, axis, 1, () => {
      f.inc(p, inner * 4);
      offsets.forEach((o, v) => {
        f.set(value, loadBlock(block, p, o));
        f.set(beats, order.beats(value, best[v]));
        f.set(best[v], v128.bitselect(value, best[v], beats));
        f.set(index[v], v128.bitselect(i32x4.splat(i), index[v], beats));
      });
    });
    offsets.forEach((o, v) => {
      f.push(storeBlock(block, y, index[v], o));
    });
  };
  const vectors = (count: number) => Array.from({ length: count }, (_, v) => v * 16);
  const rest = inner % GROUP;
  const tail = () => {
    if (rest >= 4) columns(4, vectors(rest >> 2));
    for (let c = rest & ~3; c < rest; c++) columns(1, [c * 4]);
  };
  f.for(task, from, to, 1, () => {
    const row = i32.div_u(task, i32.const(groups));
    const group = i32.rem_u(task, i32.const(groups));
    f.set(x, at(at(f.param(2), row, axis * inner * 4), group, GROUP * 4));
    f.set(y, at(at(f.param(3), row, inner * 4), group, GROUP * 4));
    if (rest === 0) columns(4, vectors(4));
    else f.if(i32.eq(group, i32.const(groups - 1)), tail, inner > GROUP ? () => columns(4, vectors(4)) : undefined);
  });
}

/**
 * Padding with a constant, and by reflection. What is left after merging unpadded axes is rows along the last padded
 * axis: some elements before, the row itself, some elements after.
 */
import { type Expr, type Func, i32, type Local, select, v128 } from '../wasm/assembler.ts';
import { type Features, input, output, type Recipe } from './kernel.ts';
import type { Lane } from './loop-spec.ts';
import { copyRow } from './move-copy.ts';
import { at, cutRows, fillRow, rowKernel } from './move-pieces.ts';

export type Paddings = readonly (readonly [before: number, after: number])[];

interface Axis {
  readonly size: number;
  readonly before: number;
  readonly after: number;
}

/** The axes before the last padded one, that one, and the number of elements behind it. */
interface PadPlan {
  readonly outer: readonly Axis[];
  readonly last: Axis;
  readonly inner: number;
}

const padded = ({ size, before, after }: Axis): number => size + before + after;
const product = (numbers: readonly number[]): number => numbers.reduce((a, b) => a * b, 1);

/** Merges unpadded axes into the axis before them; into a padded one only where `constant` (reflection needs it whole). */
function planPad(shape: readonly number[], paddings: Paddings, constant: boolean): PadPlan {
  const axes = shape.map((size, i): Axis => ({ size, before: paddings[i]?.[0] ?? 0, after: paddings[i]?.[1] ?? 0 }));
  const isPadded = (a: Axis) => a.before > 0 || a.after > 0;
  const index = Math.max(0, axes.findLastIndex(isPadded));
  const outer: Axis[] = [];
  for (const axis of axes.slice(0, index)) {
    const previous = outer.at(-1);
    if (!previous || isPadded(axis) || (isPadded(previous) && !constant)) outer.push(axis);
    else {
      const { size, before, after } = previous;
      outer[outer.length - 1] = { size: size * axis.size, before: before * axis.size, after: after * axis.size };
    }
  }
  return {
    outer,
    last: axes[index] ?? { size: 1, before: 0, after: 0 },
    inner: product(shape.slice(index + 1)),
  };
}

/**
 * `PadV2`: x of `shape` → y with `paddings[i]` elements of `value` around axis i. `lane` says how `value` is held.
 * One step; inputs: x; outputs: y.
 */
export function pad(
  shape: readonly number[],
  paddings: Paddings,
  value: number,
  lane: Lane,
  _features: Features,
): Recipe {
  const plan = planPad(shape, paddings, true);
  const { last, inner } = plan;
  const filling = lane === 'f32' ? v128.const_f32x4(value) : v128.const_i32x4(value | 0);
  return padRecipe(
    'pad',
    shape,
    [paddings, Object.is(value, -0) ? '-0' : `${value}`, lane],
    plan,
    (f, out, sources) => {
      const [from, inside] = f.locals('i32', 2);
      f.set(from, f.param(2));
      f.set(inside, i32.const(1));
      for (const { coordinate, axis, stride } of sources) {
        f.set(inside, i32.and(inside, i32.lt_u(coordinate, i32.const(axis.size))));
        f.set(from, at(from, coordinate, stride));
      }
      f.if(
        inside,
        () => {
          fillRow(f, last.before * inner, out, filling);
          copyRow(f, last.size * inner, from, out);
          fillRow(f, last.after * inner, out, filling);
        },
        () => fillRow(f, padded(last) * inner, out, filling),
      );
    },
  );
}

/**
 * `MirrorPad`: x of `shape` → y, padded with its own elements in reverse; `reflect` leaves out the one at the edge,
 * `symmetric` repeats it. Any four-byte lane. One step; inputs: x; outputs: y.
 */
export function mirrorPad(
  shape: readonly number[],
  paddings: Paddings,
  mode: 'reflect' | 'symmetric',
  _features: Features,
): Recipe {
  const plan = planPad(shape, paddings, false);
  const { last, inner } = plan;
  const edge = mode === 'reflect' ? 0 : 1;
  return padRecipe('mirror-pad', shape, [paddings, mode], plan, (f, out, sources) => {
    const [line, from, mirrored, i] = f.locals('i32', 4);
    f.set(line, f.param(2));
    for (const { coordinate, axis, stride } of sources) {
      f.set(mirrored, coordinate);
      const { size } = axis;
      f.set(mirrored, below(mirrored, i32.sub(i32.const(-edge), mirrored)));
      f.set(mirrored, above(mirrored, size, i32.sub(i32.const(2 * (size - 1) + edge), mirrored)));
      f.set(line, at(line, mirrored, stride));
    }
    const copies = (count: number, source: Expr) => {
      f.for(i, 0, count, 1, () => {
        f.set(from, at(line, source, inner * 4));
        copyRow(f, inner, from, out);
      });
    };
    copies(last.before, i32.sub(i32.const(last.before - edge), i));
    f.set(from, line);
    copyRow(f, last.size * inner, from, out);
    copies(last.after, i32.sub(i32.const(last.size - 2 + edge), i));
  });
}

const below = (x: Expr, instead: Expr): Expr => select(instead, x, i32.lt_s(x, i32.const(0)));
const above = (x: Expr, size: number, instead: Expr): Expr => select(instead, x, i32.ge_s(x, i32.const(size)));

/** The coordinate (signed, in x) that a row of y has along an outer axis, and what one step of it means in x in bytes. */
interface Source {
  readonly coordinate: Expr;
  readonly axis: Axis;
  readonly stride: number;
}

/** `emit` writes one row of y at `out` and leaves `out` behind it. */
function padRecipe(
  name: string,
  shape: readonly number[],
  attributes: unknown,
  plan: PadPlan,
  emit: (f: Func, out: Local, sources: readonly Source[]) => void,
): Recipe {
  const { outer, last, inner } = plan;
  const length = padded(last) * inner;
  const rows = product(outer.map(padded));
  const about = {
    name: `${name} ${shape}`,
    shape: attributes,
    buffers: 2,
    cut: cutRows(rows, length),
    bytes: (product(shape) + rows * length) * 4,
  };
  const kernel = rowKernel(about, (f, { from, to }) => {
    const [row, rest, out] = f.locals('i32', 3);
    const coordinates = f.locals('i32', outer.length);
    f.set(out, at(f.param(3), from, length * 4));
    f.for(row, from, to, 1, () => {
      f.set(rest, row);
      const sources: Source[] = [];
      let stride = last.size * inner * 4;
      for (const [i, axis] of [...outer.entries()].toReversed()) {
        const coordinate = coordinates[i];
        f.set(coordinate, i32.sub(i32.rem_u(rest, i32.const(padded(axis))), i32.const(axis.before)));
        f.set(rest, i32.div_u(rest, i32.const(padded(axis))));
        sources.push({ coordinate, axis, stride });
        stride *= axis.size;
      }
      emit(f, out, sources);
    });
  });
  return { temps: [], steps: [{ kernel, args: [input(0), output(0)] }] };
}

/**
 * Gradients of resizing. A piece owns some rows of dx and visits, in order, the rows of dy that reach them, so that each
 * element sums in one fixed order; what goes to other rows is left to their owners.
 */
import { type Expr, type Func, f32, f32x4, f64, i32, type Local, v128 } from '../wasm/assembler.ts';
import { type Features, input, output, type Recipe } from './kernel.ts';
import { at, cutRows, fillTo, loadBlock, type Range, rowKernel, storeBlock, walk } from './move-pieces.ts';
import { type BilinearTaps, bilinearTaps, nearestTap, type ResizeMode } from './resize-axis.ts';
import { columnsOf, describeResize, inElements, outElements, type ResizeShape, rowsOf } from './resize-shape.ts';

/**
 * `ResizeBilinearGrad`: dy → dx. Half-pixel centres are ignored, as in tfjs's cpu backend.
 * One step; inputs: dy; outputs: dx.
 */
export function resizeBilinearGrad(s: ResizeShape, _features: Features): Recipe {
  const mode = modeOf(s);
  return recipe('resize-bilinear-grad', s, (f, rows) => {
    const [vertical, horizontal] = [tapsOf(f), tapsOf(f)];
    const column = f.local('i32');
    const one = f64.const(1);
    scatter(f, s, rows, (dy, r, add) => {
      bilinearTaps(f, vertical, r, rowsOf(s), mode);
      const upper = f64.sub(one, vertical.share);
      add(vertical.low, dy, (place) => columns(upper, place));
      add(vertical.high, dy, (place) => columns(vertical.share, place));
      function columns(share: Expr, place: (column: Expr, weight: Expr | null) => void) {
        f.for(column, 0, s.outWidth, 1, () => {
          bilinearTaps(f, horizontal, column, columnsOf(s), mode);
          place(horizontal.low, f64.mul(share, f64.sub(one, horizontal.share)));
          f.set(dy, i32.sub(dy, i32.const(s.channels * 4)));
          place(horizontal.high, f64.mul(share, horizontal.share));
        });
      }
    });
  });
}

/**
 * `ResizeNearestNeighborGrad`: dy → dx, each dx the sum of the dy that took its value. Half-pixel centres are ignored, as
 * in tfjs's cpu backend. One step; inputs: dy; outputs: dx.
 */
export function resizeNearestNeighborGrad(s: ResizeShape, _features: Features): Recipe {
  const mode = modeOf(s);
  return recipe('resize-nearest-grad', s, (f, rows) => {
    const [column, target, targetRow] = f.locals('i32', 3);
    scatter(f, s, rows, (dy, r, add) => {
      nearestTap(f, targetRow, r, rowsOf(s), mode);
      add(targetRow, dy, (place) => {
        f.for(column, 0, s.outWidth, 1, () => {
          nearestTap(f, target, column, columnsOf(s), mode);
          place(target, null);
        });
      });
    });
  });
}

const modeOf = ({ alignCorners }: ResizeMode): ResizeMode => ({ alignCorners, halfPixelCenters: false });
const tapsOf = (f: Func): BilinearTaps => ({ low: f.local('i32'), high: f.local('i32'), share: f.local('f64') });

function recipe(name: string, s: ResizeShape, emit: (f: Func, rows: Range) => void): Recipe {
  const about = {
    name: `${name} ${describeResize(s)}`,
    shape: s.alignCorners,
    buffers: 2,
    cut: cutRows(s.batch * s.inHeight, s.inWidth * s.channels),
    bytes: (inElements(s) + outElements(s)) * 4,
  };
  return { temps: [], steps: [{ kernel: rowKernel(about, emit), args: [input(0), output(0)] }] };
}

/** Adds one pixel of dy, which `dy` walks along, times `weight` (f64; null: 1) to the pixel of dx in column `column`. */
type Place = (column: Expr, weight: Expr | null) => void;
/** Where row `row` of dx is the piece's own, starts a row of dy and lets `columns` place its pixels. */
type AddRow = (row: Local, dy: Local, columns: (place: Place) => void) => void;

/** Zeroes the piece's rows of dx and shows every row of dy of the images that they belong to to `visit`. */
function scatter(
  f: Func,
  s: ResizeShape,
  { from, to }: Range,
  visit: (dy: Local, r: Local, add: AddRow) => void,
): void {
  const pixel = s.channels * 4;
  const inRow = s.inWidth * pixel;
  const [image, r, own, dy, dyLine, line, p] = f.locals('i32', 7);
  const factor = f.local('v128');
  f.set(p, at(f.param(3), from, inRow));
  f.set(line, at(f.param(3), to, inRow));
  fillTo(f, p, line, v128.const_f32x4(0));
  const imageOf = (row: Expr) => i32.div_u(row, i32.const(s.inHeight));
  const place: Place = (column, weight) => {
    f.set(p, at(line, column, pixel));
    if (weight) f.set(factor, f32x4.splat(f32.demote_f64(weight)));
    walk(f, s.channels, [p, dy], (b) => {
      for (const o of b.offsets.toReversed()) {
        const value = loadBlock(b, dy, o);
        f.push(storeBlock(b, p, f32x4.add(loadBlock(b, p, o), weight ? f32x4.mul(value, factor) : value), o));
      }
    });
  };
  f.for(image, imageOf(from), i32.add(imageOf(i32.sub(to, i32.const(1))), i32.const(1)), 1, () => {
    f.for(r, 0, s.outHeight, 1, () => {
      f.set(dyLine, at(f.param(2), i32.add(i32.mul(image, i32.const(s.outHeight)), r), s.outWidth * pixel));
      visit(dy, r, (row, start, columns) => {
        f.set(own, i32.add(i32.mul(image, i32.const(s.inHeight)), row));
        f.if(i32.lt_u(i32.sub(own, from), i32.sub(to, from)), () => {
          f.set(line, at(f.param(3), own, inRow));
          f.set(start, dyLine);
          columns(place);
        });
      });
    });
  });
}

/** Resizing images: each target pixel is one source pixel, or a mixture of four, in vectors along the channels. */
import { type Func, f32, f32x4, i32, type Local, v128 } from '../wasm/assembler.ts';
import { type Features, input, output, type Recipe } from './kernel.ts';
import { copyRow } from './move-copy.ts';
import { at, cutRows, loadBlock, type Range, rowKernel, storeBlock, walk } from './move-pieces.ts';
import { type BilinearTaps, bilinearTaps, nearestTap } from './resize-axis.ts';
import { columnsOf, describeResize, inElements, outElements, type ResizeShape, rowsOf } from './resize-shape.ts';

/** `ResizeBilinear`: x → y. One step; inputs: x; outputs: y. */
export function resizeBilinear(s: ResizeShape, _features: Features): Recipe {
  return recipe('resize-bilinear', s, 16 * s.outWidth, emitBilinear);
}

/** `ResizeNearestNeighbor`: x → y. Any four-byte lane. One step; inputs: x; outputs: y. */
export function resizeNearestNeighbor(s: ResizeShape, _features: Features): Recipe {
  return recipe('resize-nearest', s, 4 * s.outWidth, emitNearest);
}

function recipe(
  name: string,
  s: ResizeShape,
  scratch: number,
  emit: (f: Func, s: ResizeShape, rows: Range) => void,
): Recipe {
  const about = {
    name: `${name} ${describeResize(s)}`,
    shape: s,
    buffers: 2,
    cut: cutRows(s.batch * s.outHeight, s.outWidth * s.channels),
    bytes: (inElements(s) + outElements(s)) * 4,
    scratch,
  };
  const kernel = rowKernel(about, (f, rows) => emit(f, s, rows));
  return { temps: [], steps: [{ kernel, args: [input(0), output(0)] }] };
}

/** Scratch holds for each target column the byte offsets of its two source columns and the second's share, twice. */
function emitBilinear(f: Func, s: ResizeShape, { from, to }: Range): void {
  const pixel = s.channels * 4;
  const taps: BilinearTaps = { low: f.local('i32'), high: f.local('i32'), share: f.local('f64') };
  const [i, entry, row, image, top, bottom, out] = f.locals('i32', 7);
  const [a, b, c, d] = f.locals('i32', 4);
  const [shareX, shareY] = f.locals('v128', 2);
  f.set(entry, f.param(1));
  f.for(i, 0, s.outWidth, 1, () => {
    bilinearTaps(f, taps, i, columnsOf(s), s);
    f.push(i32.store(entry, i32.mul(taps.low, i32.const(pixel)), 0));
    f.push(i32.store(entry, i32.mul(taps.high, i32.const(pixel)), 4));
    f.push(f32.store(entry, f32.demote_f64(taps.share), 8));
    f.inc(entry, 16);
  });
  f.set(out, at(f.param(3), from, s.outWidth * pixel));
  f.for(row, from, to, 1, () => {
    f.set(image, at(f.param(2), i32.div_u(row, i32.const(s.outHeight)), s.inHeight * s.inWidth * pixel));
    bilinearTaps(f, taps, i32.rem_u(row, i32.const(s.outHeight)), rowsOf(s), s);
    f.set(top, at(image, taps.low, s.inWidth * pixel));
    f.set(bottom, at(image, taps.high, s.inWidth * pixel));
    f.set(shareY, f32x4.splat(f32.demote_f64(taps.share)));
    f.set(entry, f.param(1));
    f.for(i, 0, s.outWidth, 1, () => {
      f.set(a, i32.add(top, i32.load(entry, 0)));
      f.set(b, i32.add(top, i32.load(entry, 4)));
      f.set(c, i32.add(bottom, i32.load(entry, 0)));
      f.set(d, i32.add(bottom, i32.load(entry, 4)));
      f.set(shareX, v128.load32_splat(entry, 8));
      walk(f, s.channels, [out, a, b, c, d], (block) => {
        const between = (p: Local, q: Local, o: number) => {
          const left = loadBlock(block, p, o);
          return f32x4.add(left, f32x4.mul(f32x4.sub(loadBlock(block, q, o), left), shareX));
        };
        for (const o of block.offsets.toReversed()) {
          const [upper, lower] = [between(a, b, o), between(c, d, o)];
          f.push(storeBlock(block, out, f32x4.add(upper, f32x4.mul(f32x4.sub(lower, upper), shareY)), o));
        }
      });
      f.inc(entry, 16);
    });
  });
}

/** Scratch holds the byte offset of each target column's source column. */
function emitNearest(f: Func, s: ResizeShape, { from, to }: Range): void {
  const pixel = s.channels * 4;
  const [i, entry, source, row, line, p, out] = f.locals('i32', 7);
  f.set(entry, f.param(1));
  f.for(i, 0, s.outWidth, 1, () => {
    nearestTap(f, source, i, columnsOf(s), s);
    f.push(i32.store(entry, i32.mul(source, i32.const(pixel))));
    f.inc(entry, 4);
  });
  f.set(out, at(f.param(3), from, s.outWidth * pixel));
  f.for(row, from, to, 1, () => {
    f.set(line, at(f.param(2), i32.div_u(row, i32.const(s.outHeight)), s.inHeight * s.inWidth * pixel));
    nearestTap(f, source, i32.rem_u(row, i32.const(s.outHeight)), rowsOf(s), s);
    f.set(line, at(line, source, s.inWidth * pixel));
    f.set(entry, f.param(1));
    f.for(i, 0, s.outWidth, 1, () => {
      f.set(p, i32.add(line, i32.load(entry)));
      copyRow(f, s.channels, p, out);
      f.inc(entry, 4);
    });
  });
}

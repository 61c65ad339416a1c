/**
 * Where a resized image's pixels come from, along one axis, computed by the kernels themselves in float64: the same
 * roundings as tfjs's cpu backend, so that the nearest pixel is the same pixel.
 */
import { type Expr, type Func, f64, i32, type Local, select } from '../wasm/assembler.ts';
import { maxS, minS } from './move-pieces.ts';

/** Which convention maps target pixels to source pixels. */
export interface ResizeMode {
  /** The corners' pixel centres fall on each other. */
  readonly alignCorners: boolean;
  /** Pixels are areas: target centre r + ½ maps to source centre. Gradients ignore it, as tfjs's cpu backend does. */
  readonly halfPixelCenters: boolean;
}

/** One axis: source and target size. */
export interface ResizeAxis {
  readonly from: number;
  readonly to: number;
}

/** Source pixels per target pixel. */
const ratio = ({ from, to }: ResizeAxis, { alignCorners }: ResizeMode): number =>
  alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;

// Two instructions that only this file needs.
const op1 =
  (bytes: readonly number[]) =>
  (a: Expr): Expr => ({
    emit(out) {
      a.emit(out);
      for (const byte of bytes) out.byte(byte);
    },
  });
const floor = op1([0x9c]); // f64.floor
const toI32 = op1([0xfc, 0x02]); // i32.trunc_sat_f64_s

/** Two source pixels and the second's share. */
export interface BilinearTaps {
  readonly low: Local;
  readonly high: Local;
  /** f64. */
  readonly share: Local;
}

/** Sets `low`, `high` and `share` for target pixel `pixel`, as `ResizeBilinear` does. */
export function bilinearTaps(f: Func, taps: BilinearTaps, pixel: Expr, axis: ResizeAxis, mode: ResizeMode): void {
  const { low, high, share } = taps;
  const index = f64.convert_i32_s(pixel);
  const scale = f64.const(ratio(axis, mode));
  const half = f64.const(0.5);
  f.set(share, mode.halfPixelCenters ? f64.sub(f64.mul(scale, f64.add(index, half)), half) : f64.mul(scale, index));
  f.set(low, toI32(floor(share)));
  // The ceiling is minus the floor of minus.
  f.set(high, i32.sub(i32.const(0), toI32(floor(f64.mul(share, f64.const(-1))))));
  f.set(high, minS(high, i32.const(axis.from - 1)));
  f.set(low, maxS(low, i32.const(0)));
  f.set(share, f64.sub(share, f64.convert_i32_s(low)));
}

/** Sets `source` to the source pixel of target pixel `pixel`, as `ResizeNearestNeighbor` does. */
export function nearestTap(f: Func, source: Local, pixel: Expr, axis: ResizeAxis, mode: ResizeMode): void {
  const index = f64.convert_i32_s(pixel);
  const scale = f64.const(ratio(axis, mode));
  const place = f64.mul(scale, mode.halfPixelCenters ? f64.add(index, f64.const(0.5)) : index);
  // Math.round is floor(x + ½) for what is not within an ulp below ½: pixel places never are.
  f.set(source, toI32(floor(mode.alignCorners ? f64.add(place, f64.const(0.5)) : place)));
  f.set(source, select(source, i32.const(axis.from - 1), i32.lt_s(source, i32.const(axis.from))));
}

/** What the unrolled and the looped gradients of pooling share: one row of windows, and what each window passes on. */
import { type Expr, f32x4, type Local, v128 } from '../wasm/assembler.ts';
import type { Conv2DShape } from './conv-shape.ts';
import { type Block, loadBlock } from './move-pieces.ts';
import type { PoolKind } from './pool-window.ts';

/** The state of one window row while its windows are visited. All are addresses. */
export interface GradRow {
  readonly kind: PoolKind;
  readonly shape: Conv2DShape;
  /** Image row of the window's first tap row (signed), and the rows [low, high) of this image that the piece owns. */
  readonly top: Local;
  readonly low: Local;
  readonly high: Local;
  /** This image in x (max only) and in dx; this window row in dy and in y (max only). */
  readonly x: Local;
  readonly dx: Local;
  readonly dy: Local;
  readonly y: Local;
}

/** What one window passes on, all taps together: dy where the maximum is above −∞, or dy / taps. */
export function gradOfWindow(g: GradRow, block: Block, offset: number): Expr {
  const dy = loadBlock(block, g.dy, offset);
  if (g.kind === 'avg') return f32x4.mul(dy, v128.const_f32x4(1 / (g.shape.filterHeight * g.shape.filterWidth)));
  return v128.and(dy, f32x4.gt(loadBlock(block, g.y, offset), v128.const_f32x4(-Infinity)));
}

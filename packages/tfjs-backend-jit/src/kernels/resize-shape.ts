/** What a resize kernel is told: the images' sizes before and after, and how their pixels correspond. */
import type { ResizeAxis, ResizeMode } from './resize-axis.ts';

/** x [batch, inHeight, inWidth, channels] f32 ↔ y [batch, outHeight, outWidth, channels] f32. */
export interface ResizeShape extends ResizeMode {
  readonly batch: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly channels: number;
}

export const rowsOf = (s: ResizeShape): ResizeAxis => ({ from: s.inHeight, to: s.outHeight });
export const columnsOf = (s: ResizeShape): ResizeAxis => ({ from: s.inWidth, to: s.outWidth });

/** `224x224->112x112x3`, for kernel names. */
export const describeResize = (s: ResizeShape): string =>
  `${s.batch}x${s.inHeight}x${s.inWidth}->${s.outHeight}x${s.outWidth}x${s.channels}`;

export const inElements = (s: ResizeShape): number => s.batch * s.inHeight * s.inWidth * s.channels;
export const outElements = (s: ResizeShape): number => s.batch * s.outHeight * s.outWidth * s.channels;

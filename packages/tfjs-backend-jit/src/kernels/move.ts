/** Kernels that move elements without computing: the operations that the backend records. */
export { concat } from './move-concat.ts';
export { type GatherShape, gather, unsortedSegmentSum } from './move-gather.ts';
export { mirrorPad, type Paddings, pad } from './move-pad.ts';
export { transposeCopy } from './move-transpose.ts';

/** What the tables of `parity.test.ts` are made of: cases by TF.js kernel, and the shapes they run over. */
import type { Tensors, Tolerance } from './compare.ts';

export interface Case {
  readonly name: string;
  readonly run: () => Tensors;
  readonly tolerance?: Tolerance;
}

/** By the name of the TF.js kernel that they are about. */
export type Cases = Readonly<Record<string, readonly Case[]>>;

/** Every rank, odd and even, short and long, with axes of one element. */
export const SHAPES: readonly (readonly number[])[] = [
  ...[[], [1], [7], [64], [3, 5], [1, 9], [2, 3, 4], [1, 3, 1, 5], [2, 3, 2, 5], [2, 1, 3, 2, 2], [2, 2, 1, 3, 2, 2]],
  ...[
    [129, 33],
    [4, 1030],
  ],
];

/** Pairs that broadcast. */
export const PAIRS: readonly (readonly [readonly number[], readonly number[]])[] = [
  [[], []],
  [[5], []],
  [[], [3, 5]],
  [[7], [7]],
  [
    [3, 5],
    [3, 5],
  ],
  [[3, 5], [5]],
  [
    [3, 1],
    [1, 5],
  ],
  [
    [2, 3, 4],
    [3, 1],
  ],
  [
    [2, 1, 3, 1],
    [1, 4, 1, 5],
  ],
  [
    [2, 1, 1, 3, 2, 1],
    [1, 2, 2, 1, 1, 2],
  ],
  [[65, 17], [17]],
  [
    [65, 17],
    [65, 1],
  ],
  [
    [4, 1030],
    [4, 1030],
  ],
  [[1], [4, 1030]],
];

/** All subsets of the axes of a rank, but for the empty one. */
export function axisSubsets(rank: number): number[][] {
  return Array.from({ length: 2 ** rank - 1 }, (_, i) =>
    Array.from({ length: rank }, (_, axis) => axis).filter((axis) => ((i + 1) >> axis) & 1),
  );
}

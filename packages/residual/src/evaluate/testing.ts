/** For tests of what shows an evaluation: one with every score, from little.
 *  Not part of the program. */

import type { Evaluation } from './metrics.ts';
import { scoresOf } from './scores.ts';

/** Scores of 20 images in two classes, of which 17 are called rightly, with what a test wants different. */
export function madeEvaluation(changes: Partial<Evaluation> = {}): Evaluation {
  // biome-ignore format: true class, probability of the first
  const rows = [
    [0, .9], [0, .9], [0, .8], [0, .8], [0, .7], [0, .7], [0, .6], [0, .95], [0, .4], [0, .3],
    [1, .1], [1, .1], [1, .2], [1, .2], [1, .3], [1, .3], [1, .4], [1, .05], [1, .1], [1, .6],
  ] as const;
  const probabilities = rows.flatMap(([, first]) => [first, 1 - first]);
  return { ...scoresOf({ probabilities, labels: rows.map(([label]) => label), classes: 2 }), mistakes: [], ...changes };
}

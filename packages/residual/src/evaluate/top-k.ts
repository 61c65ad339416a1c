/** Top-k accuracy: how often the truth is among the k most probable classes.
 *  Of equal probabilities the class with the smaller index comes first, so that a tie is never counted twice. */

/** The place of the true class among all, 0 for the most probable. */
export function rankOfTruth(probabilities: ArrayLike<number>, actual: number): number {
  const truth = probabilities[actual];
  let rank = 0;
  for (let k = 0; k < probabilities.length; k++) {
    if (probabilities[k] > truth || (probabilities[k] === truth && k < actual)) rank++;
  }
  return rank;
}

/**
 * The fraction of samples whose true class is among the k most probable; NaN without samples.
 *
 * @param probabilities samples × classes, row-major; scores of any kind serve
 */
export function topKAccuracy(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
  k: number,
): number {
  let hits = 0;
  for (let i = 0; i < labels.length; i++) {
    const row = Array.from({ length: classes }, (_, c) => probabilities[i * classes + c]);
    if (rankOfTruth(row, labels[i]) < k) hits++;
  }
  return hits / labels.length;
}

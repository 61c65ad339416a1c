/** The confusion matrix: how often each class was taken for each. Everything that needs predicted classes only follows
 *  from it. */

/** Counts, classes × classes, row-major: [true class][predicted class]. */
export function confusionCounts(
  actual: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
): Int32Array<ArrayBuffer> {
  const counts = new Int32Array(classes * classes);
  for (let i = 0; i < actual.length; i++) counts[actual[i] * classes + predicted[i]]++;
  return counts;
}

/** The fraction on the diagonal; NaN without samples. */
export function accuracyOf(confusion: ArrayLike<number>, classes: number): number {
  let [hits, total] = [0, 0];
  for (let cell = 0; cell < classes * classes; cell++) {
    total += confusion[cell];
    if (cell % (classes + 1) === 0) hits += confusion[cell];
  }
  return hits / total;
}

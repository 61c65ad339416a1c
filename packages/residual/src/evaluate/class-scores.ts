/** Precision, recall and F1 of each class, and their averages, from a confusion matrix.
 *  Defined as in scikit-learn's `classification_report` with `zero_division=0`. */

export interface ClassScores {
  /** Of the images that were called this class, the fraction that was. 0 where none was called so. */
  readonly precision: number;
  /** Of the images of this class, the fraction that was found. 0 where there are none. */
  readonly recall: number;
  /** The harmonic mean of both. */
  readonly f1: number;
  /** How many images of this class there were (the support). */
  readonly images: number;
}

export type Average = Omit<ClassScores, 'images'>;

/** @param confusion classes × classes, row-major: [true class][predicted class] */
export function classScores(confusion: ArrayLike<number>, classes: number): ClassScores[] {
  return Array.from({ length: classes }, (_, k) => {
    let [images, called] = [0, 0];
    for (let other = 0; other < classes; other++) {
      images += confusion[k * classes + other];
      called += confusion[other * classes + k];
    }
    const hits = confusion[k * classes + k];
    const precision = called > 0 ? hits / called : 0;
    const recall = images > 0 ? hits / images : 0;
    return { precision, recall, f1: hits > 0 ? (2 * precision * recall) / (precision + recall) : 0, images };
  });
}

/** Each class that has images counts the same. */
export function macroAverage(scores: readonly ClassScores[]): Average {
  return average(scores, ({ images }) => (images > 0 ? 1 : 0));
}

/** Each class counts as often as it has images; its recall is the accuracy. */
export function weightedAverage(scores: readonly ClassScores[]): Average {
  return average(scores, ({ images }) => images);
}

function average(scores: readonly ClassScores[], weightOf: (score: ClassScores) => number): Average {
  const total = scores.reduce((sum, score) => sum + weightOf(score), 0);
  const mean = (of: (score: ClassScores) => number) =>
    total === 0 ? 0 : scores.reduce((sum, score) => sum + weightOf(score) * of(score), 0) / total;
  return {
    precision: mean((score) => score.precision),
    recall: mean((score) => score.recall),
    f1: mean((score) => score.f1),
  };
}

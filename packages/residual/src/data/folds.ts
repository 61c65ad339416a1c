/** Stratified folds for cross-validation: each class is dealt out evenly, copies of one picture to the same fold. */
import { DataError } from './errors.ts';
import { Random, streams } from './random.ts';
import { samplesByClass } from './split.ts';

/**
 * The fold of each sample, 0 to folds − 1. Within a class the folds' sizes differ by one at most, unless groups forbid it.
 *
 * @param labels the class index of each sample
 * @param folds a whole number from 2 to the number of samples
 * @param seed the same seed gives the same folds
 * @param groups samples with equal numbers go to the same fold, across classes too
 * @throws DataError for an impossible number of folds
 */
export function stratifiedFolds(
  labels: ArrayLike<number>,
  folds: number,
  seed: number,
  groups?: ArrayLike<number>,
): Int32Array {
  if (!Number.isInteger(folds) || folds < 2 || folds > labels.length) {
    throw new DataError(
      `folds must be a whole number from 2 to the ${labels.length} samples that there are, received ${folds}`,
    );
  }
  const foldOf = new Int32Array(labels.length).fill(-1);
  const ofGroup = new Map<number, number>();
  for (const [label, members] of samplesByClass(labels)) {
    const random = Random.at(seed, streams.folds, label);
    const order = random.shuffle([...members]);
    const sizes = new Int32Array(folds);
    // A class does not always begin with fold 0, or small classes would all leave the last folds empty.
    const first = random.integer(folds);
    for (const index of order) {
      const group = groups?.[index] ?? -1 - index;
      let fold = ofGroup.get(group);
      if (fold === undefined) {
        fold = first % folds;
        for (let step = 1; step < folds; step++) {
          const candidate = (first + step) % folds;
          if (sizes[candidate] < sizes[fold]) fold = candidate;
        }
        ofGroup.set(group, fold);
      }
      sizes[fold]++;
      foldOf[index] = fold;
    }
  }
  return foldOf;
}

/** The samples in and out of one fold, ascending. */
export function foldParts(foldOf: Int32Array, fold: number): { readonly rest: Int32Array; readonly held: Int32Array } {
  const all = Array.from(foldOf.keys());
  return {
    rest: Int32Array.from(all.filter((index) => foldOf[index] !== fold)),
    held: Int32Array.from(all.filter((index) => foldOf[index] === fold)),
  };
}

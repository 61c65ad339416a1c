/** Stratified, seeded splits: each class gives the same share, and copies of one picture stay on one side.
 *  Keras takes the first files of each class, unshuffled; this is what people expect instead. */
import { DataError } from './errors.ts';
import { Random, streams } from './random.ts';

export interface Split {
  /** Indices that stay, ascending. */
  readonly kept: Int32Array;
  /** Indices that are held out, ascending. */
  readonly held: Int32Array;
}

/**
 * Holds out `fraction` of each class: rounded, but at least one sample and never all, so that a class with a single
 * sample stays whole. A fraction of 0 holds nothing out.
 *
 * @param labels the class index of each sample
 * @param fraction 0 ≤ fraction < 1
 * @param seed the same seed gives the same split
 * @param groups samples with equal numbers (copies of one picture) go to the same side, across classes too
 * @throws DataError for a fraction out of range
 */
export function stratifiedSplit(
  labels: ArrayLike<number>,
  fraction: number,
  seed: number,
  groups?: ArrayLike<number>,
): Split {
  if (!(fraction >= 0 && fraction < 1)) {
    throw new DataError(`a split's fraction must be at least 0 and less than 1, received ${fraction}`);
  }
  const held: number[] = [];
  const kept: number[] = [];
  /** Whether a group is held out, once its first class has been dealt with. */
  const sides = new Map<number, boolean>();
  for (const [label, members] of samplesByClass(labels)) {
    const wanted = heldOf(members.length, fraction);
    const byGroup = new Map<number, number[]>();
    for (const index of members) {
      const group = groups?.[index] ?? index;
      const list = byGroup.get(group);
      if (list === undefined) byGroup.set(group, [index]);
      else list.push(index);
    }
    const order = Random.at(seed, streams.split, label).shuffle([...byGroup.entries()]);
    let count = 0;
    for (const [group, list] of order) if (sides.get(group) === true) count += list.length;
    for (const [group, list] of order) {
      let side = sides.get(group);
      if (side === undefined) {
        side = count + list.length <= wanted;
        sides.set(group, side);
        if (side) count += list.length;
      }
      (side ? held : kept).push(...list);
    }
  }
  return { kept: Int32Array.from(kept).sort(), held: Int32Array.from(held).sort() };
}

/** The samples of each class in ascending order, classes in ascending order. */
export function samplesByClass(labels: ArrayLike<number>): Map<number, number[]> {
  const classes = new Map<number, number[]>();
  for (let i = 0; i < labels.length; i++) {
    const list = classes.get(labels[i]);
    if (list === undefined) classes.set(labels[i], [i]);
    else list.push(i);
  }
  return new Map([...classes].sort(([a], [b]) => a - b));
}

function heldOf(size: number, fraction: number): number {
  if (fraction === 0 || size < 2) return 0;
  return Math.min(Math.max(Math.round(size * fraction), 1), size - 1);
}

/**
 * What is measured: one piece of work that every peer does with the same network, shapes and threads.
 * It is plain data, since it goes to child processes in other languages as JSON.
 */

export interface Work {
  readonly mode: 'train' | 'infer';
  /** `cifar`: 3×3 stride 1, no pool; `imagenet`: 7×7 stride 2 and a max-pool. */
  readonly stem: 'cifar' | 'imagenet';
  readonly batch: number;
  /** Height and width of the square input with 3 channels. */
  readonly size: number;
  readonly classes: number;
  readonly threads: number;
}

/** The usual work for a stem: CIFAR's images in batches of 128 (16 at inference), or ImageNet's in batches of 16. */
export function workOf(
  mode: Work['mode'],
  stem: Work['stem'],
  threads: number,
  batch = stem === 'cifar' && mode === 'train' ? 128 : 16,
): Work {
  return stem === 'cifar'
    ? { mode, stem, batch, size: 32, classes: 10, threads }
    : { mode, stem, batch, size: 224, classes: 1000, threads };
}

/** `training, cifar stem, 32×32, batch 128`. */
export function describeWork({ mode, stem, size, batch }: Work): string {
  return `${mode === 'train' ? 'training' : 'inference'}, ${stem} stem, ${size}×${size}, batch ${batch}`;
}

/** The middle of the values, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

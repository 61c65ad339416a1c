/** From a data set to batches in an epoch's order, made ahead of the step that eats them.
 *  The order and every bit are a function of (seed, epoch), so a run that stopped goes on with `startBatch`. */
import type { Transform } from '../augment/transform.ts';
import type { BatchRequest, Dataset, Normalization, ProducedBatch, ProduceOptions } from './dataset.ts';
import { DataError } from './errors.ts';
import { Random, streams } from './random.ts';

export interface BatchOptions {
  readonly batchSize: number;
  /** Default 0. */
  readonly seed?: number;
  /** Counted from 0: another order and other augmentation. Default 0. */
  readonly epoch?: number;
  /** Default false: the data set's own order. */
  readonly shuffle?: boolean;
  /** How many batches of the epoch to leave out at the start (to resume). Default 0. */
  readonly startBatch?: number;
  /** Augmentations, in order. Default none. */
  readonly transforms?: readonly Transform[];
  /** Default mean 0 and std 1: images from 0 to 1. */
  readonly normalize?: Normalization;
  /** Leaves out a last batch that is not full. Default false. */
  readonly dropRemainder?: boolean;
  /** How many batches are made ahead. Default 3. */
  readonly prefetch?: number;
  /** Threads that make batches; the result does not depend on it. Default 1. */
  readonly workers?: number;
  /**
   * What becomes of a corrupt file: its place goes to another sample of its class (`replace`, the default, for
   * training: batches keep their size), or to nobody (`drop`, for evaluation: nothing is counted twice).
   */
  readonly corrupt?: 'replace' | 'drop';
}

export interface Batch {
  /** Its place in the epoch, from 0. */
  readonly batch: number;
  /** Normalised, size × height × width × channels. */
  readonly images: Float32Array<ArrayBuffer>;
  readonly labels: Int32Array<ArrayBuffer>;
  /** Which sample each image is. */
  readonly indices: Int32Array;
  readonly size: number;
  /** With mixup or CutMix: the label of the image that was mixed into each. */
  readonly partners?: Int32Array<ArrayBuffer>;
  /** With mixup or CutMix: the part of each image that is its own, 0 to 1; the rest is its partner's. */
  readonly shares?: Float32Array<ArrayBuffer>;
}

/**
 * Batches of one epoch. Decoding, augmentation and normalisation run on worker threads and the results are
 * transferred. Leaving the loop early stops the work; the data set's threads stay for the next epoch, until
 * `dataset.close()`, and never keep the process alive.
 *
 * ```ts
 * for await (const { images, labels, size } of batches(splits.train, { batchSize: 128, seed: 1, epoch, shuffle: true })) …
 * ```
 *
 * @throws DataError at the first batch for impossible options, and wherever a whole class turns out unreadable
 */
export async function* batches(dataset: Dataset, options: BatchOptions): AsyncGenerator<Batch, void, undefined> {
  const { batchSize, seed = 0, epoch = 0, shuffle = false, startBatch = 0, prefetch = 3, workers = 1 } = options;
  whole('batchSize', batchSize, 1);
  whole('epoch', epoch, 0);
  whole('startBatch', startBatch, 0);
  whole('prefetch', prefetch, 1);
  whole('workers', workers, 1);
  const channels = dataset.imageShape[2];
  const request: Omit<BatchRequest, 'indices'> = {
    seed,
    epoch,
    transforms: options.transforms ?? [],
    normalize: options.normalize ?? { mean: Array(channels).fill(0), std: Array(channels).fill(1) },
    corrupt: options.corrupt ?? 'replace',
  };
  const order = shuffle
    ? shuffledOrder(dataset.size, seed, epoch)
    : Int32Array.from({ length: dataset.size }, (_, i) => i);
  const count = batchesPerEpoch(dataset.size, batchSize, options.dropRemainder);
  const producer = await producerOf(dataset);
  const stop = new AbortController();
  const pending: Promise<ProducedBatch>[] = [];
  let next = startBatch;
  try {
    for (let batch = startBatch; batch < count; batch++) {
      for (; next < count && next < batch + prefetch; next++) {
        const indices = order.slice(next * batchSize, (next + 1) * batchSize);
        const promise = producer.produce({ ...request, indices }, { signal: stop.signal, workers });
        promise.catch(() => {}); // reported when its turn comes
        pending.push(promise);
      }
      const produced = await pending.shift();
      if (produced === undefined) throw new Error('internal: no batch is pending');
      const { images, indices, mixture } = produced;
      const labels = indices.map((i) => dataset.labels[i]);
      const mixed = mixture && { partners: mixture.partners.map((place) => labels[place]), shares: mixture.shares };
      yield { batch, images, indices, labels, size: indices.length, ...mixed };
    }
  } finally {
    stop.abort();
    await producer.close();
  }
}

/** How many batches `batches()` makes of `size` samples. */
export function batchesPerEpoch(size: number, batchSize: number, dropRemainder = false): number {
  return dropRemainder ? Math.floor(size / batchSize) : Math.ceil(size / batchSize);
}

/** The order of an epoch's samples: a permutation that depends on its arguments alone. */
export function shuffledOrder(size: number, seed: number, epoch: number): Int32Array<ArrayBuffer> {
  const order = Int32Array.from({ length: size }, (_, i) => i);
  return Random.at(seed, streams.order, epoch).shuffle(order);
}

interface Producer {
  produce(request: BatchRequest, options: ProduceOptions): Promise<ProducedBatch>;
  close(): Promise<void>;
}

/** The data set's own threads, or else `read()` here and the rest on a thread of this iterator's. */
async function producerOf(dataset: Dataset): Promise<Producer> {
  if (dataset.produce !== undefined) return { produce: dataset.produce.bind(dataset), close: async () => {} };
  const { readThenFinish } = await import('./node/foreign.ts');
  return readThenFinish(dataset);
}

function whole(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least) {
    throw new DataError(`${name} must be a whole number from ${least} up, received ${value}`);
  }
}

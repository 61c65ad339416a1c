/** One version of one model at work: its programs for all batch sizes compiled and timed, and its users counted.
 *  It is closed when it has been replaced and its last user is done: a switch of versions drops nothing. */

import { prepareNormalization } from '../data/normalize.ts';
import { type BatchPlan, batchSizes, planBatches } from './batch-plan.ts';
import type { ServedClassifier } from './classifier.ts';

/** One picture, ready for the model: its bytes, or numbers that are normalised already. */
export interface Prepared {
  readonly kind: 'bytes' | 'normalised';
  /** height × width × channels; bytes are 0–255, and may be floats. */
  readonly values: Uint8Array | Float32Array;
}

/** Runs of each batch size at the start: the first compiles, the others warm it up and are timed. */
const WARM_UPS = 3;

export class Servable {
  readonly name: string;
  readonly version: number;
  readonly classifier: ServedClassifier;
  /** When it was ready. */
  readonly since = new Date();
  readonly plan: BatchPlan;
  private readonly normalize: ReturnType<typeof prepareNormalization>;
  private users = 0;
  private retired = false;

  private constructor(name: string, version: number, classifier: ServedClassifier, plan: BatchPlan) {
    this.name = name;
    this.version = version;
    this.classifier = classifier;
    this.plan = plan;
    this.normalize = prepareNormalization(classifier.preprocessing, classifier.preprocessing.inputShape[2]);
  }

  /**
   * Compiles and times the programs of all batch sizes up to `maxBatch`.
   *
   * @throws what the classifier throws; it is disposed of then
   */
  static async start(name: string, version: number, classifier: ServedClassifier, maxBatch: number): Promise<Servable> {
    try {
      const times = new Map<number, number>();
      for (const size of batchSizes(maxBatch)) times.set(size, await warmUp(classifier, size));
      return new Servable(name, version, classifier, planBatches(times));
    } catch (error) {
      classifier.dispose();
      throw error;
    }
  }

  /** Values of one picture. */
  get length(): number {
    return lengthOf(this.classifier);
  }

  /** Probabilities of at most `size` pictures; blank ones fill the batch up to it. */
  async run(pictures: readonly Prepared[], size: number): Promise<readonly ArrayLike<number>[]> {
    const { classifier, length } = this;
    const images = new Float32Array(size * length);
    for (const [i, picture] of pictures.entries()) this.place(picture, images, i * length);
    return (await classifier.classify(images, size)).slice(0, pictures.length);
  }

  /** Writes one picture as the model takes it. */
  place({ kind, values }: Prepared, to: Float32Array, offset: number): void {
    const { range, preprocessing } = this.classifier;
    const [height, width, channels] = preprocessing.inputShape;
    if (kind === 'bytes' && range === 'normalised') {
      this.normalize({ data: values, height, width, channels }, undefined, to, offset);
    } else to.set(values, offset);
  }

  /** Counts a user. The function that it returns must be called when he is done. */
  use(): () => void {
    if (this.retired && this.users === 0) throw new Error(`internal: ${this.name} version ${this.version} is closed`);
    this.users++;
    let done = false;
    return () => {
      if (done) return;
      done = true;
      this.users--;
      this.closeIfUnused();
    };
  }

  /** It gets no new users, and goes with the last one. */
  retire(): void {
    if (this.retired) return;
    this.retired = true;
    this.closeIfUnused();
  }

  private closeIfUnused(): void {
    if (this.retired && this.users === 0) this.classifier.dispose();
  }
}

function lengthOf({ preprocessing }: ServedClassifier): number {
  return preprocessing.inputShape.reduce((product, n) => product * n, 1);
}

/** Milliseconds of a batch. */
async function warmUp(classifier: ServedClassifier, size: number): Promise<number> {
  const length = size * lengthOf(classifier);
  const times: number[] = [];
  for (let i = 0; i < WARM_UPS; i++) {
    // Not all alike: a backend may have a program of its own for constants.
    const images = Float32Array.from({ length }, (_, k) => (k * 31 + i) % 7);
    const start = performance.now();
    const rows = await classifier.classify(images, size);
    times.push(performance.now() - start);
    const [row] = rows;
    if (rows.length !== size || row?.length !== classifier.classes.length) {
      throw new Error(
        `internal: ${rows.length} rows of ${row?.length} for ${size} pictures of ${classifier.classes.length} classes`,
      );
    }
  }
  return Math.min(...times.slice(1));
}

/** A `Dataset` whose samples are read and finished by worker threads; every reader of ours makes one of these. */
import { join } from 'node:path';
import type { BatchRequest, Dataset, ImageShape, ProducedBatch, ProduceOptions, SkippedFile } from '../dataset.ts';
import { DataError } from '../errors.ts';
import type { Done } from './batch-worker.ts';
import type { SampleSource } from './source.ts';
import { WorkerPool } from './worker-pool.ts';

export class WorkerDataset implements Dataset {
  readonly name: string;
  readonly classes: readonly string[];
  readonly size: number;
  readonly imageShape: ImageShape;
  readonly labels: Int32Array;
  readonly skipped: SkippedFile[];
  readonly fileOf?: (index: number) => string;
  private readonly pool: WorkerPool;

  /** @param skipped files that were left out before */
  constructor(name: string, source: SampleSource, skipped: readonly SkippedFile[] = []) {
    this.name = name;
    this.classes = source.classes;
    this.size = source.labels.length;
    this.imageShape = source.shape;
    this.labels = source.labels;
    this.skipped = [...skipped];
    if (source.kind === 'files') this.fileOf = (index) => join(source.root, source.paths[index]);
    const known = new Set(skipped.map(({ path }) => path));
    this.pool = new WorkerPool(source, (files) => {
      for (const file of files) {
        if (!known.has(file.path)) this.skipped.push(file);
        known.add(file.path);
      }
    });
  }

  async read(indices: ArrayLike<number>): Promise<{ images: Uint8Array; indices: Int32Array }> {
    const wanted = Int32Array.from(indices);
    this.check(wanted);
    const done = await this.pool.run({ kind: 'read', indices: wanted });
    if (!(done.images instanceof Uint8Array)) throw new Error('internal: a read gave no bytes');
    return { images: done.images, indices: done.indices };
  }

  async produce(request: BatchRequest, options: ProduceOptions = {}): Promise<ProducedBatch> {
    this.check(request.indices);
    return toProduced(await this.pool.run({ kind: 'produce', request }, options));
  }

  close(): Promise<void> {
    return this.pool.close();
  }

  private check(indices: Int32Array): void {
    const wrong = indices.find((index) => index < 0 || index >= this.size);
    if (wrong !== undefined) {
      throw new DataError(`${this.name} has samples 0 to ${this.size - 1}, asked for ${wrong}`);
    }
  }
}

/** The finished batch in a worker's answer. */
export function toProduced({ images, indices, mixture }: Done): ProducedBatch {
  if (!(images instanceof Float32Array)) throw new Error('internal: a batch was not normalised');
  return { images, indices, ...(mixture && { mixture }) };
}

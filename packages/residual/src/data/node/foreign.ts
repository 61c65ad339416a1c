/** Batches of a data set that only knows `read()`: the pixels go to a worker thread to be augmented and normalised.
 *  So a data set of the user's own needs no thread of its own. */
import type { BatchRequest, Dataset, ProducedBatch, ProduceOptions } from '../dataset.ts';
import { toProduced } from './worker-dataset.ts';
import { WorkerPool } from './worker-pool.ts';

/** What `Dataset.produce` does, for a set without it, and its end. */
export function readThenFinish(dataset: Dataset) {
  const pool = new WorkerPool();
  return {
    async produce(request: BatchRequest, options: ProduceOptions = {}): Promise<ProducedBatch> {
      const { images, indices } = await dataset.read(request.indices);
      const bytes = images.length / Math.max(1, indices.length);
      const kept = Array.from(indices.keys()).filter(
        (i) => request.corrupt === 'replace' || indices[i] === request.indices[i],
      );
      const samples = {
        images: new Uint8Array(kept.length * bytes),
        indices: Int32Array.from(kept, (i) => indices[i]),
        requested: Int32Array.from(kept, (i) => request.indices[i]),
      };
      kept.forEach((from, to) => {
        samples.images.set(images.subarray(from * bytes, (from + 1) * bytes), to * bytes);
      });
      const job = { kind: 'finish', samples, shape: dataset.imageShape, request } as const;
      return toProduced(await pool.run(job, { ...options, transfer: [samples.images.buffer] }));
    },
    close: () => pool.close(),
  };
}

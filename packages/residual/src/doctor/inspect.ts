/** Examines every picture of a data set on worker threads, in parts of a few dozen.
 *  The answer does not depend on how many threads there are. */

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Dataset, Splits } from '../data/dataset.ts';
import { loadSharp } from '../data/node/decode.ts';
import type { ExaminedFile } from './file-facts.ts';
import type { InspectAnswer, InspectJob } from './inspect-worker.ts';

/** Sources run as they are; the published build has the same files with the other ending. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './inspect-worker.ts' : './inspect-worker.js',
  import.meta.url,
);

export type PartName = 'train' | 'validation' | 'test';
export const partNames = ['train', 'validation', 'test'] as const satisfies readonly PartName[];

/** One picture, where it belongs, and what was found in it. */
export interface Examined extends ExaminedFile {
  readonly part: PartName;
  /** In its part. */
  readonly index: number;
  readonly label: number;
  /** Its file, or its row in the stored set. */
  readonly name: string;
}

export interface InspectOptions {
  /** Default: the machine's cores, at most 8. */
  readonly workers?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

const filesAtOnce = 24;
const pixelsAtOnce = 512;

/**
 * Examines all parts of a data set, in their order.
 *
 * @throws the signal's reason once it is aborted; DataError where a set cannot be read at all
 */
export async function inspectPictures(splits: Splits, options: InspectOptions = {}): Promise<Examined[]> {
  const { workers = Math.min(8, availableParallelism()), signal, onProgress } = options;
  await loadSharp(); // must be loaded here before a worker loads it
  const chunks = partNames.flatMap((part) => {
    const dataset = splits[part];
    if (dataset === undefined) return [];
    const step = dataset.fileOf === undefined ? pixelsAtOnce : filesAtOnce;
    return Array.from({ length: Math.ceil(dataset.size / step) }, (_, i) => ({
      part,
      dataset,
      start: i * step,
      end: Math.min(dataset.size, (i + 1) * step),
    }));
  });
  const total = partNames.reduce((sum, part) => sum + (splits[part]?.size ?? 0), 0);
  const results: Examined[][] = new Array(chunks.length);
  const threads = Array.from({ length: Math.max(1, Math.min(workers, chunks.length)) }, () => new Inspector());
  let [next, done] = [0, 0];
  try {
    await Promise.all(
      threads.map(async (thread) => {
        while (next < chunks.length) {
          signal?.throwIfAborted();
          const at = next++;
          const { part, dataset, start, end } = chunks[at];
          const examined = await thread.run(await jobOf(dataset, start, end));
          results[at] = examined.map((one, i) => ({
            ...one,
            part,
            index: start + i,
            label: dataset.labels[start + i],
            name: nameOf(dataset, part, start + i),
          }));
          done += end - start;
          onProgress?.(done, total);
        }
      }),
    );
  } finally {
    await Promise.all(threads.map((thread) => thread.close()));
  }
  return results.flat();
}

/** What a sample is called in lists and on pages. */
export function nameOf(dataset: Dataset, part: string, index: number): string {
  return dataset.nameOf?.(index) ?? dataset.fileOf?.(index) ?? `${part}#${index}`;
}

async function jobOf(dataset: Dataset, start: number, end: number): Promise<InspectJob> {
  const indices = Array.from({ length: end - start }, (_, i) => start + i);
  const { fileOf } = dataset;
  if (fileOf !== undefined) return { kind: 'files', paths: indices.map((index) => fileOf.call(dataset, index)) };
  return { kind: 'pixels', images: (await dataset.read(indices)).images, shape: dataset.imageShape };
}

class Inspector {
  // execArgv: what the program was started with (--eval, --test, …) is not for this file.
  private readonly worker = new Worker(WORKER, { execArgv: [], name: 'residual-doctor' });
  private nextId = 0;

  run(job: InspectJob): Promise<readonly ExaminedFile[]> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.worker.off('message', answered);
        this.worker.off('error', failed);
      };
      const failed = (error: unknown) => {
        settle();
        reject(error);
      };
      const answered = (answer: InspectAnswer) => {
        if (answer.id !== id) return;
        settle();
        if ('fault' in answer) reject(answer.fault);
        else resolve(answer.examined);
      };
      this.worker.on('message', answered);
      this.worker.on('error', failed);
      this.worker.postMessage({ id, job });
    });
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }
}

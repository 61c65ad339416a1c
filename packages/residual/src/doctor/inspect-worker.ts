/** The thread that examines pictures for the doctor: files by their paths, or pixels that it is given. */

import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { type ExaminedFile, examineFile } from './file-facts.ts';
import { pictureFacts } from './picture-facts.ts';

export type InspectJob =
  | { readonly kind: 'files'; readonly paths: readonly string[] }
  | {
      readonly kind: 'pixels';
      /** NHWC. */
      readonly images: Uint8Array;
      readonly shape: readonly [height: number, width: number, channels: number];
    };

export type InspectAnswer =
  | { readonly id: number; readonly examined: readonly ExaminedFile[] }
  | { readonly id: number; readonly fault: unknown };

/** Files that are read and decoded at once by one thread; sharp decodes outside of it. */
const atOnce = 2;

const port = parentPort;
if (port === null) throw new Error('internal: inspect-worker.ts was not started as a worker');

port.on('message', async ({ id, job }: { id: number; job: InspectJob }) => {
  try {
    port.postMessage({ id, examined: await inspect(job) } satisfies InspectAnswer);
  } catch (fault) {
    port.postMessage({ id, fault } satisfies InspectAnswer);
  }
});

async function inspect(job: InspectJob): Promise<ExaminedFile[]> {
  if (job.kind === 'pixels') {
    const [height, width, channels] = job.shape;
    const length = height * width * channels;
    return Array.from({ length: job.images.length / length }, (_, i) => {
      const pixels = job.images.subarray(i * length, (i + 1) * length);
      const digest = createHash('sha256').update(pixels).digest('base64url');
      const shape = { width, height, orientation: 1, transparent: false, frames: 1 };
      return { file: { endingFits: true, digest, ...shape }, picture: pictureFacts(pixels, height, width, channels) };
    });
  }
  const results: ExaminedFile[] = new Array(job.paths.length);
  let next = 0;
  const lane = async () => {
    while (next < job.paths.length) {
      const i = next++;
      results[i] = await examineFile(job.paths[i]);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return results;
}

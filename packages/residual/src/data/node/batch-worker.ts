/** The thread that makes batches: decodes, augments, normalises, and hands the result over without a copy.
 *  Jobs are done one after another in the order in which they came; a cancelled one is left out. */
import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { Mixture } from '../../augment/mix.ts';
import type { BatchRequest, ImageShape, ProducedBatch, SkippedFile } from '../dataset.ts';
import { DataError } from '../errors.ts';
import type { DecodedSamples } from '../produce.ts';
import { BatchMaker, decodeSizeOf, finishBatch } from '../produce.ts';
import type { SampleSource } from './source.ts';
import { SampleReader } from './source.ts';

export type Job =
  | { readonly kind: 'read'; readonly indices: Int32Array }
  | { readonly kind: 'produce'; readonly request: BatchRequest }
  | {
      readonly kind: 'finish';
      readonly samples: DecodedSamples;
      readonly shape: ImageShape;
      readonly request: BatchRequest;
    };

/** To the worker: a job, or the end of one that nobody waits for any more. */
export type ToWorker = { readonly id: number; readonly job: Job } | { readonly id: number; readonly cancel: true };

export interface Done {
  readonly id: number;
  readonly images: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  readonly indices: Int32Array;
  readonly mixture?: Mixture;
  readonly skipped: readonly SkippedFile[];
}

/** `trouble` is a mistake in the data, to be shown as it stands; `fault` one of ours. */
export type FromWorker =
  | Done
  | { readonly id: number; readonly skipped: readonly SkippedFile[]; readonly trouble: string }
  | { readonly id: number; readonly skipped: readonly SkippedFile[]; readonly fault: unknown };

const port = parentPort;
if (port === null) throw new Error('internal: batch-worker.ts was not started as a worker');

const source = workerData as SampleSource | undefined;
const reader = source === undefined ? undefined : new SampleReader(source);
const queue: { id: number; job: Job }[] = [];
const cancelled = new Set<number>();
let busy = false;

port.on('message', (message: ToWorker) => {
  if ('cancel' in message) {
    cancelled.add(message.id);
  } else {
    queue.push(message);
    if (!busy) void work();
  }
});

async function work(): Promise<void> {
  busy = true;
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { id, job } = next;
    await setImmediate(); // lets a cancellation arrive
    if (!cancelled.has(id)) {
      try {
        const result = await perform(job, () => cancelled.has(id));
        const { images, indices } = result;
        const buffers = new Set<ArrayBuffer>([images.buffer, indices.buffer].filter((b) => b instanceof ArrayBuffer));
        send({ id, ...result, skipped: reader?.takeSkipped() ?? [] }, [...buffers]);
      } catch (error) {
        const skipped = reader?.takeSkipped() ?? [];
        send(error instanceof DataError ? { id, skipped, trouble: error.message } : { id, skipped, fault: error });
      }
    }
    cancelled.delete(id);
  }
  busy = false;
}

async function perform(job: Job, stop: () => boolean): Promise<Omit<Done, 'id' | 'skipped'>> {
  if (job.kind === 'finish') return finishBatch(job.samples, job.shape, job.request);
  if (reader === undefined || source === undefined) throw new Error('internal: this worker has no source');
  if (job.kind === 'read') return reader.read(job.indices, 'replace', stop);
  return produce(reader, source.shape, job.request, stop);
}

/** Each picture is augmented and normalised as soon as it is decoded, while it is in the cache. */
async function produce(
  reader: SampleReader,
  shape: ImageShape,
  request: BatchRequest,
  stop: () => boolean,
): Promise<ProducedBatch> {
  const maker = new BatchMaker(shape, request);
  const decodeSize = decodeSizeOf(request.transforms, shape);
  const add = maker.add.bind(maker);
  await reader.each(request.indices, { corrupt: request.corrupt, decodeSize, cancelled: stop }, add);
  return maker.finish();
}

function send(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

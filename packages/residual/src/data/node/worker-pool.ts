/** The calling side of batch-worker.ts: threads that start when there is work, are kept for the next epoch, and hold
 *  the process alive only while somebody waits for a result. */
import type { Worker } from 'node:worker_threads';
import type { SkippedFile } from '../dataset.ts';
import { DataError } from '../errors.ts';
import type { Done, FromWorker, Job, ToWorker } from './batch-worker.ts';
import type { SampleSource } from './source.ts';

/** Sources run as they are; the published build has the same files with the other ending. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './batch-worker.ts' : './batch-worker.js', import.meta.url);

interface Waiting {
  readonly resolve: (done: Done) => void;
  readonly reject: (reason: unknown) => void;
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Threads to spread jobs over. Default 1. */
  readonly workers?: number;
  readonly transfer?: readonly ArrayBuffer[];
}

export class WorkerPool {
  private readonly source: SampleSource | undefined;
  private readonly onSkipped: (files: readonly SkippedFile[]) => void;
  private threads: Thread[] = [];
  private closed = false;

  /**
   * @param source what the threads read; none if they are only given samples to finish
   * @param onSkipped hears of corrupt files, each thread by itself: the same file may be named twice
   */
  constructor(source?: SampleSource, onSkipped: (files: readonly SkippedFile[]) => void = () => {}) {
    this.source = source;
    this.onSkipped = onSkipped;
  }

  /** @throws DataError for trouble with the data, the signal's reason once it is aborted. */
  run(job: Job, { signal, workers = 1, transfer = [] }: RunOptions = {}): Promise<Done> {
    if (this.closed) return Promise.reject(new DataError('the data set was closed'));
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    return this.idlest(workers).run(job, transfer, signal);
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(this.threads.map((thread) => thread.close()));
  }

  private idlest(workers: number): Thread {
    const [idlest] = this.threads.slice(0, workers).sort((a, b) => a.waiting - b.waiting);
    if (idlest !== undefined && (idlest.waiting === 0 || this.threads.length >= workers)) return idlest;
    const thread: Thread = new Thread(this.source, this.onSkipped, () => {
      this.threads = this.threads.filter((other) => other !== thread);
    });
    this.threads.push(thread);
    return thread;
  }
}

class Thread {
  private readonly worker: Worker;
  private readonly jobs = new Map<number, Waiting>();
  private nextId = 0;

  constructor(source: SampleSource | undefined, onSkipped: (files: readonly SkippedFile[]) => void, onEnd: () => void) {
    // execArgv: what the program was started with (--eval, --test, …) is not for this file.
    // Asked for at run time: a page imports this file, and never comes here.
    const threads = process.getBuiltinModule('node:worker_threads');
    this.worker = new threads.Worker(WORKER, { workerData: source, execArgv: [], name: 'residual-batches' });
    this.worker.unref();
    this.worker.on('message', (message: FromWorker) => {
      if (message.skipped.length > 0) onSkipped(message.skipped);
      const job = this.jobs.get(message.id);
      if (job === undefined) return;
      this.end(message.id);
      if ('trouble' in message) job.reject(new DataError(message.trouble));
      else if ('fault' in message) job.reject(message.fault);
      else job.resolve(message);
    });
    const fail = (reason: unknown) => {
      onEnd();
      for (const { reject } of this.jobs.values()) reject(reason);
      this.jobs.clear();
    };
    this.worker.once('error', fail);
    this.worker.once('exit', () => fail(new DataError('the data set was closed')));
  }

  /** Jobs that have not come back. */
  get waiting(): number {
    return this.jobs.size;
  }

  run(job: Job, transfer: readonly ArrayBuffer[], signal: AbortSignal | undefined): Promise<Done> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      const cancel = () => {
        this.post({ id, cancel: true });
        this.end(id);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', cancel, { once: true });
      const settled = () => signal?.removeEventListener('abort', cancel);
      this.jobs.set(id, {
        resolve: (done) => {
          settled();
          resolve(done);
        },
        reject: (reason) => {
          settled();
          reject(reason);
        },
      });
      this.worker.ref();
      this.post({ id, job }, transfer);
    });
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private end(id: number): void {
    this.jobs.delete(id);
    if (this.jobs.size === 0) this.worker.unref();
  }

  private post(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.worker.postMessage(message, [...transfer]);
  }
}

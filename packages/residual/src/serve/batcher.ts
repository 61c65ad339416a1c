/** Dynamic batching: pictures of all requests wait in one bounded queue, and run together as far as they want the same
 *  model. A free engine starts at once with what is there; while it computes, the next batch gathers. */

import { overloaded, ServeError } from './errors.ts';
import type { Limits } from './limits.ts';
import type { Prepared, Servable } from './servable.ts';

/** What a batch was, for metrics. */
export interface BatchReport {
  readonly servable: Servable;
  readonly pictures: number;
  /** With the blank ones. */
  readonly size: number;
  readonly milliseconds: number;
}

interface Job {
  readonly servable: Servable;
  readonly picture: Prepared;
  readonly place: Place;
  readonly since: number;
  resolve(row: ArrayLike<number>): void;
  reject(error: unknown): void;
}

/** One picture's place in the queue, from its acceptance until it is with the engine or given up. */
export interface Place {
  /** Gives the place back; harmless when it is free already. */
  free(): void;
}

/** Batches with the engine at once: the second is prepared while the first computes. */
const MOST_RUNNING = 2;

export class Batcher {
  /** Called after each batch. */
  onBatch: (report: BatchReport) => void = () => {};
  private readonly limits: Pick<Limits, 'queue' | 'maxWait'>;
  private readonly waiting = new Map<Servable, Job[]>();
  private held = 0;
  private running = 0;
  private failed = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(limits: Pick<Limits, 'queue' | 'maxWait'>) {
    this.limits = limits;
  }

  /** Places taken: pictures accepted and not yet with the engine. */
  get length(): number {
    return this.held;
  }

  /** The last batches failed one after another: something is wrong with the engine, not with a picture. */
  get broken(): boolean {
    return this.failed >= 3;
  }

  /**
   * Takes places for `count` pictures, all or none.
   *
   * @param perPicture milliseconds that the engine needs for one, to say when to try again
   * @throws ServeError 413 for more than the whole queue, 503 where they do not fit now
   */
  reserve(count: number, perPicture: number): Place[] {
    const { queue } = this.limits;
    if (count > queue) throw new ServeError(413, `a request may hold ${queue} pictures at most, received ${count}`);
    if (this.held + count > queue) {
      const seconds = (this.held * perPicture) / 1000;
      throw overloaded(`the queue is full (${this.held} of ${queue} pictures wait); try again later`, seconds);
    }
    this.held += count;
    return Array.from({ length: count }, () => {
      let free = false;
      return {
        free: () => {
          if (free) return;
          free = true;
          this.held--;
        },
      };
    });
  }

  /** Queues a picture; resolves with its probabilities. An aborted signal takes it out again. */
  classify(servable: Servable, picture: Prepared, place: Place, signal: AbortSignal): Promise<ArrayLike<number>> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        const jobs = this.waiting.get(servable);
        const at = jobs?.indexOf(job) ?? -1;
        if (at >= 0) jobs?.splice(at, 1);
        place.free();
        reject(signal.reason);
      };
      const settled = () => signal.removeEventListener('abort', onAbort);
      const job: Job = {
        servable,
        picture,
        place,
        since: performance.now(),
        resolve: (row) => {
          settled();
          resolve(row);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort);
      const jobs = this.waiting.get(servable);
      if (jobs) jobs.push(job);
      else this.waiting.set(servable, [job]);
      // After this turn of the event loop: pictures of one request come together.
      queueMicrotask(() => this.pump());
    });
  }

  /** Gives the engine what it can take now. */
  private pump(): void {
    while (this.running < MOST_RUNNING) {
      const jobs = this.oldest();
      const [first] = jobs ?? [];
      if (!jobs || !first) return;
      const { plan } = first.servable;
      // Behind a running batch only one that gains nothing by waiting.
      if (this.running > 0 && jobs.length < plan.efficient) return;
      const patience = first.since + this.limits.maxWait - performance.now();
      const decoding = this.held - this.queued();
      if (jobs.length < plan.efficient && decoding > 0 && patience > 0) {
        this.timer ??= setTimeout(() => {
          this.timer = undefined;
          this.pump();
        }, patience);
        return;
      }
      const size = plan.next(jobs.length);
      this.run(first.servable, jobs.splice(0, size), size);
    }
  }

  /** The jobs of the model whose first picture has waited longest. */
  private oldest(): Job[] | undefined {
    let found: Job[] | undefined;
    for (const [servable, jobs] of this.waiting) {
      const [first] = jobs;
      if (!first) this.waiting.delete(servable);
      else if (!found?.[0] || first.since < found[0].since) found = jobs;
    }
    return found;
  }

  private queued(): number {
    let count = 0;
    for (const jobs of this.waiting.values()) count += jobs.length;
    return count;
  }

  private async run(servable: Servable, jobs: readonly Job[], size: number): Promise<void> {
    this.running++;
    for (const { place } of jobs) place.free();
    const start = performance.now();
    try {
      const rows = await servable.run(
        jobs.map(({ picture }) => picture),
        size,
      );
      this.failed = 0;
      jobs.forEach((job, i) => {
        job.resolve(rows[i] as ArrayLike<number>);
      });
    } catch (error) {
      this.failed++;
      for (const job of jobs) job.reject(error);
    } finally {
      this.running--;
      this.onBatch({ servable, pictures: jobs.length, size, milliseconds: performance.now() - start });
      this.pump();
    }
  }
}

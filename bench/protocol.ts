/**
 * How the bench speaks with a peer: a child process that answers each line on its stdin by one line of JSON.
 * A peer says `ready` once its network stands, warms up when told, and then measures turn by turn; between turns it is idle.
 */
import { createInterface } from 'node:readline';

/** What a peer says when its network stands. */
export interface Ready {
  readonly ready: true;
  /** The version of what is measured, for people. */
  readonly version: string;
  /** The parameters of its network: the same for every peer, but for the batch norms that inference folds. */
  readonly parameters: number;
  /** The process whose memory counts, where it is not the peer's own. */
  readonly memoryOf?: number;
}

/** `seconds`: work on whole batches until so much time has passed, at least one. */
export interface Turn {
  readonly seconds: number;
}

export interface Measured {
  readonly images: number;
  readonly seconds: number;
  /** The process's own high-water mark of resident memory. */
  readonly peakBytes: number;
}

/** A measuring process in JavaScript: serves turns until its stdin ends. `step` works through one batch. */
export async function servePeer(ready: Omit<Ready, 'ready'>, batch: number, step: () => Promise<void>): Promise<void> {
  const say = (message: Ready | Measured) => process.stdout.write(`${JSON.stringify(message)}\n`);
  say({ ready: true, ...ready });
  for await (const line of createInterface({ input: process.stdin })) {
    const turn = JSON.parse(line) as Turn;
    const start = performance.now();
    let images = 0;
    let seconds = 0;
    do {
      await step();
      images += batch;
      seconds = (performance.now() - start) / 1000;
    } while (seconds < turn.seconds);
    say({ images, seconds, peakBytes: process.resourceUsage().maxRSS * 1024 });
  }
  process.exit(0);
}

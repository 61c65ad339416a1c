/**
 * Memory of inputs that nobody needs any more. The next input of that size is written there at once, while a program
 * runs: what the heap gives may still be in use by the programs before.
 */
import type { Heap } from './heap.ts';

/** A batch that is being read, one that waits, and one that is being made. */
const MOST = 3;

interface Spare {
  readonly address: number;
  readonly bytes: number;
  /** The last run that may use it. */
  readonly run: number;
}

export class Spares {
  private readonly heap: Heap;
  private list: Spare[] = [];

  constructor(heap: Heap) {
    this.heap = heap;
  }

  /** What they hold together. */
  get bytes(): number {
    return this.list.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Takes memory over; the oldest goes back to the heap. */
  put(spare: Spare): void {
    this.list.push(spare);
    if (this.list.length > MOST) this.release(1);
  }

  /** The address of `bytes` bytes that no run uses. */
  take(bytes: number, isDone: (run: number) => boolean): number | undefined {
    const at = this.list.findIndex((spare) => spare.bytes === bytes && isDone(spare.run));
    return at < 0 ? undefined : this.list.splice(at, 1)[0].address;
  }

  /** Gives the `count` oldest back to the heap, default all; false where there was none. */
  release(count = this.list.length): boolean {
    const gone = this.list.splice(0, count);
    for (const { address } of gone) this.heap.release(address);
    return gone.length > 0;
  }
}

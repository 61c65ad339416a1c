/** The one shared Wasm memory and a best-fit allocator over it. Addresses are byte offsets, 128-byte aligned. */

const PAGE = 65536;
const ALIGN = 128;
/** A 32-bit memory ends here; the last page stays unused so that no end address wraps to 0. */
export const MEMORY_LIMIT = 65535 * PAGE;

interface Block {
  start: number;
  size: number;
}

/** Thrown when the memory cannot grow to hold an allocation; the backend turns it into a message for people. */
export class HeapFull extends Error {
  readonly need: number;
  readonly free: number;

  constructor(need: number, free: number) {
    super(`out of memory: ${need} bytes needed, ${free} free`);
    this.name = 'HeapFull';
    this.need = need;
    this.free = free;
  }
}

/** Allocates blocks of one shared memory that grows as needed and never shrinks. */
export class Heap {
  readonly memory: WebAssembly.Memory;
  /** Bytes in use by live blocks, and the most there have been. */
  used = 0;
  peak = 0;
  /** Where the memory ends. It falls where an engine does not let the memory grow so far. */
  limit: number;
  private readonly sizes = new Map<number, number>();
  /** Free blocks by address. */
  private free: Block[] = [];
  private end: number;
  private f32Cache: Float32Array;
  private i32Cache: Int32Array;

  constructor(memory: WebAssembly.Memory, reserved: number, limit = MEMORY_LIMIT) {
    this.memory = memory;
    this.limit = limit;
    this.end = reserved;
    this.f32Cache = new Float32Array(memory.buffer);
    this.i32Cache = new Int32Array(memory.buffer);
  }

  /** The whole memory as floats: `f32[address / 4]`. Taken anew after every growth. */
  get f32(): Float32Array {
    if (this.f32Cache.buffer !== this.memory.buffer) this.f32Cache = new Float32Array(this.memory.buffer);
    return this.f32Cache;
  }

  get i32(): Int32Array {
    if (this.i32Cache.buffer !== this.memory.buffer) this.i32Cache = new Int32Array(this.memory.buffer);
    return this.i32Cache;
  }

  /** Bytes that could still be allocated if they were in one piece. */
  get available(): number {
    return this.limit - this.used;
  }

  /** Bytes that have not been given out yet, in one piece: the rest of the memory beyond the last block. */
  get room(): number {
    return this.limit - this.end;
  }

  /** Returns the address of `bytes` bytes, contents undefined. Throws `HeapFull`. */
  alloc(bytes: number): number {
    const size = roundUp(Math.max(bytes, 4));
    let best = -1;
    for (let i = 0; i < this.free.length; i++) {
      const block = this.free[i];
      if (block.size >= size && (best < 0 || block.size < this.free[best].size)) best = i;
    }
    let start: number;
    if (best >= 0) {
      const block = this.free[best];
      start = block.start;
      if (block.size === size) this.free.splice(best, 1);
      else {
        block.start += size;
        block.size -= size;
      }
    } else {
      const last = this.free.at(-1);
      start = last !== undefined && last.start + last.size === this.end ? last.start : this.end;
      this.growTo(start + size);
      if (start !== this.end) this.free.pop();
      this.end = start + size;
    }
    this.sizes.set(start, size);
    this.used += size;
    this.peak = Math.max(this.peak, this.used);
    return start;
  }

  /** Several blocks, or none if not all of them fit. Throws `HeapFull`. */
  allocAll(sizes: readonly number[]): number[] {
    const blocks: number[] = [];
    try {
      for (const bytes of sizes) blocks.push(this.alloc(bytes));
    } catch (error) {
      for (const block of blocks) this.release(block);
      throw error;
    }
    return blocks;
  }

  release(start: number): void {
    const size = this.sizes.get(start);
    if (size === undefined) throw new Error(`internal: no block at ${start}`);
    this.sizes.delete(start);
    this.used -= size;
    let low = 0;
    let high = this.free.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (this.free[mid].start < start) low = mid + 1;
      else high = mid;
    }
    const before = this.free[low - 1];
    const after = this.free[low];
    const joinsBefore = before !== undefined && before.start + before.size === start;
    const joinsAfter = after !== undefined && start + size === after.start;
    if (joinsBefore) {
      before.size += size;
      if (joinsAfter) {
        before.size += after.size;
        this.free.splice(low, 1);
      }
    } else if (joinsAfter) {
      after.start = start;
      after.size += size;
    } else this.free.splice(low, 0, { start, size });
  }

  private growTo(bytes: number): void {
    const missing = Math.ceil((bytes - this.memory.buffer.byteLength) / PAGE);
    if (missing <= 0) return;
    if (bytes > this.limit) throw new HeapFull(bytes - this.end, this.available);
    // Grow by an eighth more than asked while there is room: growing is a system call for every engine.
    const generous = Math.min(
      missing + (bytes >>> 19),
      Math.floor((this.limit - this.memory.buffer.byteLength) / PAGE),
    );
    try {
      this.memory.grow(Math.max(missing, generous));
    } catch {
      try {
        this.memory.grow(missing);
      } catch {
        this.limit = Math.min(this.limit, Math.floor(bytes / PAGE) * PAGE - PAGE);
        throw new HeapFull(bytes - this.end, this.available);
      }
    }
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / ALIGN) * ALIGN;
}

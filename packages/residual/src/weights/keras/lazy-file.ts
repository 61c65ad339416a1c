/** A file of HDF5's file system whose bytes come from a ByteSource when they are needed.
 *  HDF5 reads synchronously and a ByteSource does not: a read of missing bytes fails, they are fetched, and the call that
 *  needed them is made again. */

import type { ByteSource } from '../source.ts';
import type { Hdf5Module } from './hdf5-library.ts';

const PAGE = 2 ** 16;
/** Fetched ahead of a missing byte, doubled with each try of the same call. */
const MOST_AHEAD = 2 ** 24;
/** Kept from call to call: what describes the datasets is read again and again. */
const KEPT = 2 ** 23;
const EIO = 29;

export class LazyFile {
  readonly path: string;
  readonly #source: ByteSource;
  readonly #module: Hdf5Module;
  readonly #pages = new Map<number, Uint8Array>();
  #missing: { readonly from: number; readonly to: number } | undefined;

  constructor(module: Hdf5Module, source: ByteSource) {
    this.#module = module;
    this.#source = source;
    // No file can name another by chance.
    this.path = `/files/${crypto.randomUUID()}`;
    const node = module.FS.create(this.path, 0o444);
    node.usedBytes = source.size;
    node.stream_ops = {
      ...node.stream_ops,
      read: (_: unknown, buffer: Uint8Array, offset: number, length: number, position: number) =>
        this.#copy(buffer, offset, position, Math.min(position + length, source.size)),
    };
  }

  /** Whether HDF5 asked for bytes that were not there, since `fetch` was called last. */
  get starved(): boolean {
    return this.#missing !== undefined;
  }

  /** Fetches what was missing, and more with each try. */
  async fetch(tries: number): Promise<void> {
    if (!this.#missing) return;
    const { from, to } = this.#missing;
    this.#missing = undefined;
    const ahead = Math.min(PAGE * 2 ** tries, MOST_AHEAD);
    const first = Math.floor(from / PAGE);
    const end = Math.min(Math.ceil((to + ahead) / PAGE) * PAGE, this.#source.size);
    const bytes = await this.#source.read(first * PAGE, end - first * PAGE);
    for (let at = 0; at < bytes.length; at += PAGE) this.#pages.set(first + at / PAGE, bytes.subarray(at, at + PAGE));
  }

  /** After a call: lets go of pages where they are many. */
  trim(): void {
    this.#missing = undefined;
    if (this.#pages.size * PAGE > KEPT) this.#pages.clear();
  }

  remove(): void {
    this.#pages.clear();
    this.#module.FS.unlink(this.path);
  }

  #copy(buffer: Uint8Array, offset: number, from: number, to: number): number {
    if (from >= to) return 0;
    for (let page = Math.floor(from / PAGE); page * PAGE < to; page++) {
      if (!this.#pages.has(page)) {
        this.#missing = { from: page * PAGE, to };
        throw new this.#module.FS.ErrnoError(EIO);
      }
    }
    for (let at = from; at < to; ) {
      const page = Math.floor(at / PAGE);
      const bytes = this.#pages.get(page)?.subarray(at - page * PAGE, to - page * PAGE) ?? new Uint8Array();
      buffer.set(bytes, offset + at - from);
      at += bytes.length;
    }
    return to - from;
  }
}

/** An open HDF5 file. Calls of HDF5 are synchronous and its bytes come asynchronously: `use` makes a call again until all
 *  bytes are there, ends one that runs in circles, and opens the file anew where the library has stopped meanwhile. */

import { WeightsError } from '../errors.ts';
import type { ByteSource } from '../source.ts';
import { Hdf5Failure, type Hdf5Library, type Hdf5Module, hdf5Library, MODE } from './hdf5-library.ts';
import { type Hdf5Dataset, Hdf5View } from './hdf5-view.ts';
import { LazyFile } from './lazy-file.ts';
import { EndedCall, watched } from './watchdog.ts';

/** Values are read so many bytes at a time: HDF5's memory is never given back, and a call must end soon. */
const SLAB = 2 ** 20;

interface Session {
  readonly library: Hdf5Library;
  readonly lazy: LazyFile;
  readonly id: bigint;
}

export class Hdf5File {
  readonly source: ByteSource;
  #session: Session | undefined;
  /** Why nothing can be read any more. */
  #over: string | undefined;

  private constructor(source: ByteSource) {
    this.source = source;
  }

  /** @throws WeightsError where it is no HDF5 file, or one that HDF5 itself cannot read */
  static async open(source: ByteSource): Promise<Hdf5File> {
    const file = new Hdf5File(source);
    await file.#open();
    return file;
  }

  /**
   * Asks the file something. `ask` may be called several times, and its errors count only once all bytes are there.
   *
   * @throws WeightsError where `ask` does, or HDF5 reports an error, stops, or does not come to an end
   */
  async use<T>(ask: (view: Hdf5View) => T): Promise<T> {
    for (let tries = 0, ended = 0; ; tries++) {
      const { library, lazy, id } = this.#session?.library.broken === false ? this.#session : await this.#open();
      let result: { readonly value: T } | { readonly error: unknown };
      try {
        result = { value: this.#watched(library, ended, (module) => ask(new Hdf5View(module, id, this.source))) };
      } catch (error) {
        result = { error };
      }
      if ('error' in result && library.broken) {
        ended = this.#again(result.error, library, ended);
      } else if (lazy.starved) {
        await lazy.fetch(tries);
      } else {
        lazy.trim();
        if ('value' in result) return result.value;
        throw this.#translated(result.error);
      }
    }
  }

  /** All values, row-major, little-endian. */
  async read(dataset: Hdf5Dataset): Promise<Uint8Array<ArrayBuffer>> {
    const { shape, size } = dataset;
    const all = new Uint8Array(shape.reduce((product, n) => product * n, size));
    if (all.length === 0) return all;
    const rows = shape[0] ?? 1;
    const step = Math.max(1, Math.floor(SLAB / (all.length / rows)));
    for (let row = 0; row < rows; row += step) {
      await this.use((view) => view.readRows(dataset, row, Math.min(step, rows - row), all));
    }
    return all;
  }

  /** Lets go of HDF5's handles and leaves the source open. */
  release(): void {
    this.#end('is closed');
  }

  async close(): Promise<void> {
    this.release();
    await this.source.close();
  }

  #watched<T>(library: Hdf5Library, ended: number, use: (module: Hdf5Module) => T): T {
    return library.call((module) => watched(() => use(module), ended));
  }

  /** Opens the file, or opens it again in another instance after the library has stopped. */
  async #open(): Promise<Session> {
    if (this.#over !== undefined) throw this.#error(this.#over);
    this.#drop();
    for (let tries = 0, ended = 0; ; tries++) {
      const library = await hdf5Library();
      library.users++;
      library.served++;
      const lazy = new LazyFile(library.module, this.source);
      this.#session = { library, lazy, id: -1n };
      try {
        for (; ; tries++) {
          const id = this.#watched(library, ended, (module) => module.open(lazy.path, MODE.read));
          this.#session = { library, lazy, id };
          if (!lazy.starved) break;
          if (id >= 0n) library.call((module) => module.close_file(id));
          await lazy.fetch(tries);
        }
        if (this.#session.id < 0n) throw this.#end('is no HDF5 file, or is damaged');
        return this.#session;
      } catch (error) {
        this.#drop();
        if (!library.broken) throw this.#translated(error);
        ended = this.#again(error, library, ended);
      }
    }
  }

  /** After the library has stopped: whether to begin again, in a fresh one, and with how much more time. */
  #again(error: unknown, { served }: Hdf5Library, ended: number): number {
    if (error instanceof EndedCall && !error.hopeless) return ended + 1;
    // An earlier file may have left it in disorder.
    if (served > 1) return ended;
    throw this.#end(`is damaged: HDF5 ${error instanceof EndedCall ? error.message : 'stops on it'}`);
  }

  #end(reason: string): WeightsError {
    this.#over = reason;
    this.#drop();
    return this.#error(reason);
  }

  #drop(): void {
    const session = this.#session;
    this.#session = undefined;
    if (!session) return;
    const { library, lazy, id } = session;
    try {
      if (!library.broken && id >= 0n) library.call((module) => watched(() => module.close_file(id), 0));
    } catch (error) {
      if (!(error instanceof Hdf5Failure) && !(error instanceof EndedCall)) throw error;
    } finally {
      library.users--;
      lazy.remove();
    }
  }

  #translated(error: unknown): unknown {
    if (!(error instanceof Hdf5Failure)) return error;
    return new WeightsError(`${this.source.name}: is damaged: ${error.message}`, { cause: error });
  }

  #error(text: string): WeightsError {
    return new WeightsError(`${this.source.name}: ${text}`);
  }
}

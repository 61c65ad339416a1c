/** A file that grows at its end and can be cut back to where a checkpoint saw it: history, logs, event files.
 *  A resumed run writes what came after the checkpoint again, so each line is there once. */

import { node, writeError } from '../models/files.ts';

export class AppendFile {
  readonly file: string;
  private readonly descriptor: number;
  private length: number;

  private constructor(file: string, descriptor: number, length: number) {
    this.file = file;
    this.descriptor = descriptor;
    this.length = length;
  }

  /**
   * @param file Made, with its folder, if it is missing.
   * @param keep Its first bytes that stay; what follows is cut off.
   * @throws WriteError
   */
  static open(file: string, keep: number): AppendFile {
    const { fs, path } = node();
    try {
      fs.mkdirSync(path.dirname(file), { recursive: true });
      const descriptor = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o666);
      const length = Math.min(keep, fs.fstatSync(descriptor).size);
      fs.ftruncateSync(descriptor, length);
      return new AppendFile(file, descriptor, length);
    } catch (error) {
      throw writeError(file, error);
    }
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.length;
  }

  append(data: string | Uint8Array): void {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    this.guard(() => {
      let done = 0;
      while (done < bytes.length) {
        done += node().fs.writeSync(this.descriptor, bytes, done, bytes.length - done, this.length + done);
      }
    });
    this.length += bytes.length;
  }

  /** Cuts off what follows the first `keep` bytes. */
  truncate(keep: number): void {
    const length = Math.min(keep, this.length);
    this.guard(() => node().fs.ftruncateSync(this.descriptor, length));
    this.length = length;
  }

  /** Waits until the disk has all of it. */
  sync(): void {
    this.guard(() => node().fs.fsyncSync(this.descriptor));
  }

  close(): void {
    node().fs.closeSync(this.descriptor);
  }

  private guard(write: () => void): void {
    try {
      write();
    } catch (error) {
      throw writeError(this.file, error);
    }
  }
}

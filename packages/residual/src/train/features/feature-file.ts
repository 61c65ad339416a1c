/** Features on disk: rows of float32 in chunks, each with its checksum, behind a header that says whose they are.
 *  The file grows beside its name and can be gone on with; what is loaded was verified, chunk by chunk. */

import { codeOf, node, writeError } from '../../models/files.ts';

/** Bytes 0–7. The digit is the format's version. */
const MAGIC = 'RESFEAT1';
/** Magic, then the header's length and checksum as 32-bit little-endian integers. */
const PREFIX = 16;

export interface FeatureLayout {
  /** What the features are a function of, as a checksum. */
  readonly key: string;
  /** Pictures × views. */
  readonly rows: number;
  readonly dims: number;
  /** Rows of a chunk; the last one may be shorter. */
  readonly chunk: number;
}

/** Features in memory; the first `ready` rows are there. */
export interface FeatureRows {
  /** rows × dims. */
  readonly values: Float32Array<ArrayBuffer>;
  /** The sample that each row shows; −1 where its file was unreadable. */
  readonly samples: Int32Array<ArrayBuffer>;
  readonly ready: number;
}

/**
 * A file of features, `KEY.features` in a folder.
 *
 * Layout: 8 bytes `RESFEAT1`; u32 header length; u32 CRC-32 of the header; the header as JSON; then for each chunk its
 * values (float32), its samples (int32) and the CRC-32 of both (u32), all little-endian. Chunks lie at fixed places, and
 * two processes that compute the same features write the same bytes.
 */
export class FeatureFile {
  private readonly file: string;
  private readonly layout: FeatureLayout;
  private readonly header: Uint8Array;
  private descriptor: number | undefined;

  constructor(folder: string, layout: FeatureLayout) {
    const { path, zlib } = node();
    this.file = path.join(folder, `${layout.key}.features`);
    this.layout = layout;
    const text = new TextEncoder().encode(JSON.stringify(layout));
    const header = new Uint8Array(PREFIX + text.length);
    for (let i = 0; i < MAGIC.length; i++) header[i] = MAGIC.charCodeAt(i);
    const view = new DataView(header.buffer);
    view.setUint32(8, text.length, true);
    view.setUint32(12, zlib.crc32(text), true);
    header.set(text, PREFIX);
    this.header = header;
  }

  /** Where the features are once they are all there. */
  get path(): string {
    return this.file;
  }

  /** What is there and whole, from the first row on; of a damaged file what lies before the damage. */
  async read(): Promise<FeatureRows> {
    const { rows, dims } = this.layout;
    const values = new Float32Array(rows * dims);
    const samples = new Int32Array(rows);
    let ready = 0;
    for (const name of [this.file, this.part]) {
      ready = Math.max(ready, await this.readFrom(name, values, samples));
      if (ready === rows) break;
    }
    return { values, samples, ready };
  }

  private async readFrom(name: string, values: Float32Array, samples: Int32Array): Promise<number> {
    const { fs, zlib } = node();
    const { rows, dims, chunk } = this.layout;
    const handle = await fs.promises.open(name, 'r').catch((error) => {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
      throw error;
    });
    if (handle === undefined) return 0;
    try {
      const head = Buffer.alloc(this.header.length);
      await handle.read(head, 0, head.length, 0);
      if (!head.equals(this.header)) return 0;
      for (let start = 0; start < rows; start += chunk) {
        const count = Math.min(chunk, rows - start);
        const bytes = Buffer.alloc(count * (dims + 1) * 4 + 4);
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, this.offsetOf(start));
        const body = bytes.subarray(0, -4);
        if (bytesRead < bytes.length || zlib.crc32(body) !== bytes.readUInt32LE(body.length)) return start;
        const { buffer, byteOffset } = body;
        values.set(new Float32Array(buffer.slice(byteOffset, byteOffset + count * dims * 4)), start * dims);
        samples.set(new Int32Array(buffer.slice(byteOffset + count * dims * 4, byteOffset + body.length)), start);
      }
      return rows;
    } finally {
      await handle.close();
    }
  }

  /**
   * Writes one chunk, that of the row `start`, which must be a chunk's first.
   *
   * @throws WriteError
   */
  write(start: number, values: Float32Array, samples: Int32Array): void {
    const { fs, path, zlib } = node();
    try {
      if (this.descriptor === undefined) {
        fs.mkdirSync(path.dirname(this.file), { recursive: true });
        this.descriptor = fs.openSync(this.part, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o666);
        fs.writeSync(this.descriptor, this.header, 0, this.header.length, 0);
      }
      const parts = [values, samples].map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
      const body = Buffer.concat([...parts, Buffer.alloc(4)]);
      body.writeUInt32LE(zlib.crc32(body.subarray(0, -4)), body.length - 4);
      let done = 0;
      while (done < body.length) {
        done += fs.writeSync(this.descriptor, body, done, body.length - done, this.offsetOf(start) + done);
      }
    } catch (error) {
      throw writeError(this.file, error);
    }
  }

  /**
   * All rows are written: gives the file its name.
   *
   * @throws WriteError
   */
  finish(): void {
    const { fs } = node();
    if (this.descriptor === undefined) return;
    try {
      fs.fsyncSync(this.descriptor);
      this.close();
      fs.renameSync(this.part, this.file);
    } catch (error) {
      // Another process computed the same, and was first.
      if (codeOf(error) !== 'ENOENT' || !fs.existsSync(this.file)) throw writeError(this.file, error);
    }
  }

  close(): void {
    if (this.descriptor !== undefined) node().fs.closeSync(this.descriptor);
    this.descriptor = undefined;
  }

  private get part(): string {
    return `${this.file}.part`;
  }

  private offsetOf(row: number): number {
    const { dims, chunk } = this.layout;
    return this.header.length + row * (dims + 1) * 4 + (row / chunk) * 4;
  }
}

/** The history of a run: `history.jsonl`, one JSON line per step and per epoch, for people, plots and reports.
 *  A checkpoint knows how long the file was, so that a resumed run has each line once. */

import { codeOf, node, writeError } from '../models/files.ts';

/** One training step. Steps and epochs count from 1. */
export interface StepRecord {
  readonly type: 'step';
  /** Steps done since the start of the run. */
  readonly step: number;
  readonly epoch: number;
  /** Steps done in this epoch, of `batches`. */
  readonly batch: number;
  readonly batches: number;
  /** Of this step's batch, with label smoothing. */
  readonly loss: number;
  /** Of this step's batch, 0–1. */
  readonly accuracy: number;
  readonly learningRate: number;
  /** Over the last steps; 0 until there are two. */
  readonly imagesPerSecond: number;
  /** Since the start of the run, all sittings together. */
  readonly seconds: number;
}

/** An epoch's end. */
export interface EpochRecord {
  readonly type: 'epoch';
  readonly epoch: number;
  readonly step: number;
  /** Means over the epoch's training batches, as they were when each was learned. */
  readonly loss: number;
  readonly accuracy: number;
  /** Of the validation set, where there is one. */
  readonly validationLoss?: number;
  readonly validationAccuracy?: number;
  readonly learningRate: number;
  readonly seconds: number;
}

export type HistoryRecord = StepRecord | EpochRecord;

/** The file, open for appending. */
export class HistoryFile {
  private readonly file: string;
  private readonly descriptor: number;
  private length: number;

  private constructor(file: string, descriptor: number, length: number) {
    this.file = file;
    this.descriptor = descriptor;
    this.length = length;
  }

  /**
   * @param file Made, with its folder, if it is missing.
   * @param keep Its first bytes that stay; what follows was written after the checkpoint and will be written again.
   * @throws WriteError
   */
  static open(file: string, keep: number): HistoryFile {
    const { fs, path } = node();
    try {
      fs.mkdirSync(path.dirname(file), { recursive: true });
      const descriptor = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o666);
      const length = Math.min(keep, fs.fstatSync(descriptor).size);
      fs.ftruncateSync(descriptor, length);
      return new HistoryFile(file, descriptor, length);
    } catch (error) {
      throw writeError(file, error);
    }
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.length;
  }

  append(record: HistoryRecord): void {
    const line = new TextEncoder().encode(`${JSON.stringify(record)}\n`);
    this.guard(() => {
      let done = 0;
      while (done < line.length) {
        done += node().fs.writeSync(this.descriptor, line, done, line.length - done, this.length + done);
      }
    });
    this.length += line.length;
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

/**
 * All records of a run's `history.jsonl`, in order. A last line that a kill cut off is left out.
 *
 * @returns An empty list where there is no such file.
 */
export async function readHistory(file: string): Promise<HistoryRecord[]> {
  const { fs } = node();
  let text: string;
  try {
    text = await fs.promises.readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as HistoryRecord);
}

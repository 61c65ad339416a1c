/** The folder of a run on disk: `history.jsonl` and `checkpoint/state.bin`.
 *  The history is on the disk before the checkpoint that counts its bytes. */

import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { ModelError } from '../models/errors.ts';
import { node, removeAsides } from '../models/files.ts';
import { type Fingerprint, type Position, restoreCheckpoint, saveCheckpoint } from './checkpoint.ts';
import { HistoryFile, type HistoryRecord } from './history.ts';

/** What a run is made of. */
export interface RunParts {
  readonly model: LayersModel;
  readonly optimizer: tf.Optimizer;
  readonly fingerprint: Fingerprint;
}

export class RunFolder {
  readonly directory: string;
  private readonly parts: RunParts;
  private readonly history: HistoryFile;

  private constructor(directory: string, parts: RunParts, history: HistoryFile) {
    this.directory = directory;
    this.parts = parts;
    this.history = history;
  }

  /**
   * Begins a run, or puts model and optimizer where the run's checkpoint left them. A run that was killed before its
   * first checkpoint begins again.
   *
   * @throws ModelError where there is a run and `resume` is false, or none and it is true, or the options differ
   */
  static async open(
    directory: string,
    resume: boolean,
    parts: RunParts,
  ): Promise<{ folder: RunFolder; position: Position | undefined }> {
    const { fs, path } = node();
    const historyFile = path.join(directory, 'history.jsonl');
    const checkpoint = checkpointFile(directory);
    const exists = fs.existsSync(historyFile) || fs.existsSync(checkpoint);
    if (exists && !resume) {
      throw new ModelError(`${directory}: holds a run already; resume it, or give another directory`);
    }
    if (!exists && resume) throw new ModelError(`${directory}: there is no run to resume`);
    await removeAsides(directory);
    await removeAsides(path.dirname(checkpoint));
    const { model, optimizer, fingerprint } = parts;
    const restored = await restoreCheckpoint(checkpoint, model, optimizer, fingerprint);
    const history = HistoryFile.open(historyFile, restored?.historyBytes ?? 0);
    return { folder: new RunFolder(directory, parts, history), position: restored?.position };
  }

  append(record: HistoryRecord): void {
    this.history.append(record);
  }

  async save(position: Position): Promise<void> {
    this.history.sync();
    const { model, optimizer, fingerprint } = this.parts;
    const meta = { position, historyBytes: this.history.bytes, fingerprint };
    await saveCheckpoint(checkpointFile(this.directory), model, optimizer, meta);
  }

  close(): void {
    this.history.close();
  }
}

/** Where a run keeps its checkpoint. */
export function checkpointFile(directory: string): string {
  return node().path.join(directory, 'checkpoint', 'state.bin');
}

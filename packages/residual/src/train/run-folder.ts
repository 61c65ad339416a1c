/** The folder of a run on disk: `history.jsonl`, `checkpoint/state.bin`, and beside it the good states to go back to.
 *  Histories and logs are on the disk before the checkpoint that counts their bytes. */

import { ModelError } from '../models/errors.ts';
import { node, removeAsides } from '../models/files.ts';
import { AppendFile } from './append-file.ts';
import {
  type CheckpointMeta,
  type Fingerprint,
  type Position,
  type RunState,
  readCheckpoint,
  saveCheckpoint,
} from './checkpoint.ts';
import type { HistoryRecord } from './history.ts';
import type { GoodState } from './trouble/good-states.ts';

/** A run as its folder remembers it. */
export interface StoredRun {
  readonly meta: CheckpointMeta;
  readonly state: RunState;
  /** To go back to, the trusted one first. */
  readonly good: readonly GoodState[];
}

export class RunFolder {
  readonly directory: string;
  private readonly fingerprint: Fingerprint;
  private readonly history: AppendFile;
  /** The steps of good states that have a file of their own. */
  private readonly stored: Set<number>;
  /** Where `state.bin` stands. */
  private latest: Pick<Position, 'step' | 'epoch'> | undefined;

  private constructor(directory: string, fingerprint: Fingerprint, history: AppendFile, run: StoredRun | undefined) {
    this.directory = directory;
    this.fingerprint = fingerprint;
    this.history = history;
    this.latest = run?.meta.position;
    this.stored = new Set(run?.meta.good?.filter((step) => step !== run.meta.position.step));
  }

  /**
   * Begins a run, or reads where the run's checkpoint left it. A run that was killed before its first checkpoint begins
   * again.
   *
   * @throws ModelError where there is a run and `resume` is false, or none and it is true, or the options differ
   */
  static async open(
    directory: string,
    resume: boolean,
    fingerprint: Fingerprint,
  ): Promise<{ readonly folder: RunFolder; readonly run: StoredRun | undefined }> {
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
    const restored = await readCheckpoint(checkpoint, fingerprint);
    const run = restored && { ...restored, good: await readGood(directory, restored, fingerprint) };
    const history = AppendFile.open(historyFile, restored?.meta.historyBytes ?? 0);
    const folder = new RunFolder(directory, fingerprint, history, run);
    await folder.removeForgotten();
    return { folder, run };
  }

  append(record: HistoryRecord): void {
    this.history.append(`${JSON.stringify(record)}\n`);
  }

  /** Writes a checkpoint, and before it what it needs of good states. */
  async save(
    state: RunState,
    meta: Omit<CheckpointMeta, 'historyBytes' | 'fingerprint' | 'good'>,
    good: readonly GoodState[],
  ) {
    const { step } = meta.position;
    this.history.sync();
    for (const one of good) {
      if (one.position.step !== step && !this.stored.has(one.position.step)) await this.keep(one);
    }
    const steps = good.map(({ position }) => position.step);
    const whole = { ...meta, historyBytes: this.history.bytes, fingerprint: this.fingerprint, good: steps };
    await saveCheckpoint(checkpointFile(this.directory), state, whole);
    this.latest = meta.position;
    for (const one of this.stored) if (one === step || !steps.includes(one)) this.stored.delete(one);
    await this.removeForgotten();
  }

  close(): void {
    this.history.close();
  }

  /** A good state gets a file: the last checkpoint's where it is that very state, without writing it again. */
  private async keep({ position, watch, callbacks, state }: GoodState): Promise<void> {
    const { fs } = node();
    const file = goodFile(this.directory, position.step);
    await fs.promises.rm(file, { force: true });
    const linked =
      position.step === this.latest?.step &&
      position.epoch === this.latest.epoch &&
      (await fs.promises.link(checkpointFile(this.directory), file).then(
        () => true,
        () => false, // a file system without links
      ));
    const meta = { position, watch, callbacks, historyBytes: 0, fingerprint: this.fingerprint };
    if (!linked) await saveCheckpoint(file, state, meta);
    this.stored.add(position.step);
  }

  /** Good states that no checkpoint names: a kill came between, or training went back past them. */
  private async removeForgotten(): Promise<void> {
    const { fs, path } = node();
    const folder = path.dirname(checkpointFile(this.directory));
    for (const name of await fs.promises.readdir(folder).catch((): string[] => [])) {
      const step = /^good-(\d+)\.bin$/.exec(name)?.[1];
      if (step !== undefined && !this.stored.has(Number(step))) await fs.promises.rm(path.join(folder, name));
    }
  }
}

async function readGood(
  directory: string,
  { meta, state }: { readonly meta: CheckpointMeta; readonly state: RunState },
  fingerprint: Fingerprint,
): Promise<GoodState[]> {
  const good: GoodState[] = [];
  for (const step of meta.good ?? []) {
    const own = step === meta.position.step;
    const stored = own ? { meta, state } : await readCheckpoint(goodFile(directory, step), fingerprint);
    if (!stored) throw new ModelError(`${goodFile(directory, step)}: is missing; the run cannot go on without it`);
    const { position, watch = { seen: [] }, callbacks = {} } = stored.meta;
    good.push({ position, watch, callbacks, state: stored.state });
  }
  return good;
}

/** Where a run keeps its checkpoint. */
export function checkpointFile(directory: string): string {
  return node().path.join(directory, 'checkpoint', 'state.bin');
}

function goodFile(directory: string, step: number): string {
  return node().path.join(directory, 'checkpoint', `good-${step}.bin`);
}

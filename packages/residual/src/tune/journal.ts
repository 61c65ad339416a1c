/** The journal of a search: a line of JSON for each thing that was decided or measured, only ever appended.
 *  A search that was killed reads it and goes on; a half-written last line is cut off. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ModelError } from '../models/errors.ts';
import type { Plain } from '../recipe/layers.ts';
import type { Recipe } from '../recipe/schema.ts';
import { AppendFile } from '../train/append-file.ts';
import type { Dimension } from './space.ts';

/** The first line: all that decides the search. */
export interface SearchRecord {
  readonly type: 'search';
  readonly format: 'residual-tune/1';
  /** A known name, or an absolute path. */
  readonly source: string;
  readonly backend: string;
  /** The name of the recipe that the search begins from. */
  readonly from: string;
  readonly recipe: Recipe;
  readonly space: readonly Dimension[];
  readonly trials: number;
  readonly keep: number;
  readonly rungs: readonly number[];
  readonly seed: number;
}

/** A trial was begun. */
export interface TrialRecord {
  readonly type: 'trial';
  readonly trial: number;
  readonly values: Readonly<Record<string, Plain>>;
}

/** A trial came to the end of a rung, or failed on the way to it. */
export interface ResultRecord {
  readonly type: 'result';
  readonly trial: number;
  readonly rung: number;
  readonly epochs: number;
  /** Of the validation images, at the rung's end; missing where the trial failed. */
  readonly accuracy?: number;
  readonly loss?: number;
  /** Why the trial failed. */
  readonly failed?: string;
  /** That this rung took. */
  readonly seconds: number;
}

export type JournalRecord = SearchRecord | TrialRecord | ResultRecord;

const journalFile = 'journal.jsonl';

export class Journal {
  private readonly file: AppendFile;
  private readonly lines: JournalRecord[];

  private constructor(file: AppendFile, lines: JournalRecord[]) {
    this.file = file;
    this.lines = lines;
  }

  /**
   * Opens the journal of a folder; an empty one where there is none.
   *
   * @throws WriteError, ModelError for a file that is no journal
   */
  static open(folder: string): Journal {
    const path = join(folder, journalFile);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    const lines =
      whole === ''
        ? []
        : whole
            .trimEnd()
            .split('\n')
            .map((line) => recordOf(line, path));
    if (lines.length > 0 && (lines[0] as SearchRecord).format !== 'residual-tune/1') {
      throw new ModelError(`${path} was not written by this version of residual`);
    }
    return new Journal(AppendFile.open(path, Buffer.byteLength(whole)), lines);
  }

  get records(): readonly JournalRecord[] {
    return this.lines;
  }

  get search(): SearchRecord | undefined {
    return this.lines.find((one) => one.type === 'search');
  }

  get trials(): readonly TrialRecord[] {
    return this.lines.filter((one) => one.type === 'trial');
  }

  get results(): readonly ResultRecord[] {
    return this.lines.filter((one) => one.type === 'result');
  }

  /** Writes a line and waits until the disk has it. */
  append(record: JournalRecord): void {
    this.file.append(`${JSON.stringify(record)}\n`);
    this.file.sync();
    this.lines.push(record);
  }

  close(): void {
    this.file.close();
  }
}

function recordOf(line: string, path: string): JournalRecord {
  try {
    return JSON.parse(line) as JournalRecord;
  } catch {
    throw new ModelError(`${path}: a line is not JSON`);
  }
}

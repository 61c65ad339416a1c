/** Logs of a run as one text file: CSV for spreadsheets, JSON lines for programs.
 *  A checkpoint knows how long the file was; a resumed run, or one that goes back, cuts it there. */

import { ModelError } from '../../models/errors.ts';
import { AppendFile } from '../append-file.ts';
import type { EpochEvent, StepEvent } from '../options.ts';
import type { Callback } from './callback.ts';

export interface LogOptions {
  /** A row for each epoch, or for each step. Default `epochs`. */
  readonly rows?: 'epochs' | 'steps';
}

const columns = {
  epochs: ['epoch', 'step', 'loss', 'accuracy', 'validationLoss', 'validationAccuracy', 'learningRate', 'seconds'],
  steps: ['step', 'epoch', 'batch', 'loss', 'accuracy', 'learningRate', 'imagesPerSecond', 'seconds'],
} as const;

/**
 * A CSV file (RFC 4180, `\n` at line ends) with a header; what is not measured is an empty field. A file that is there
 * is written over by a new run.
 *
 * @throws WriteError
 * @example train(model, data, { epochs: 9, callbacks: [csvLog('runs/a/log.csv')] })
 */
export function csvLog(file: string, options: LogOptions = {}): Callback {
  const names = columns[rowsOf('csvLog', options)];
  const row = (event: object) =>
    names.map((name) => (event as Readonly<Record<string, unknown>>)[name] ?? '').join(',');
  return logCallback(`csvLog ${file}`, file, options, row, names.join(','));
}

/**
 * A JSON object per line, with the columns of `csvLog`; what is not measured is left out. A file that is there is
 * written over by a new run.
 *
 * @throws WriteError
 */
export function jsonLog(file: string, options: LogOptions = {}): Callback {
  const names = columns[rowsOf('jsonLog', options)];
  const row = (event: object) => JSON.stringify(event, [...names]);
  return logCallback(`jsonLog ${file}`, file, options, row);
}

function logCallback(
  name: string,
  path: string,
  { rows = 'epochs' }: LogOptions,
  row: (event: StepEvent | EpochEvent) => string,
  header?: string,
): Callback {
  let keep = 0;
  let file: AppendFile | undefined;
  const write = (event: StepEvent | EpochEvent) => file?.append(`${row(event)}\n`);
  return {
    name,
    getState() {
      file?.sync();
      return { bytes: file?.bytes ?? keep };
    },
    setState(state) {
      keep = (state as { readonly bytes: number }).bytes;
      file?.truncate(keep);
    },
    onTrainBegin() {
      file = AppendFile.open(path, keep);
      if (file.bytes === 0 && header !== undefined) file.append(`${header}\n`);
    },
    ...(rows === 'steps' ? { onStep: write } : { onEpoch: write }),
    onTrainEnd() {
      file?.close();
      file = undefined;
    },
  };
}

function rowsOf(owner: string, { rows = 'epochs' }: LogOptions): 'epochs' | 'steps' {
  if (rows !== 'epochs' && rows !== 'steps') {
    throw new ModelError(`${owner}: rows must be 'epochs' or 'steps', received '${rows}'`);
  }
  return rows;
}

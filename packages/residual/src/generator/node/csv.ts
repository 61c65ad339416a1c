/** Keras's `flow_from_dataframe` for a CSV file: a column of file names, and columns of classes or numbers. */
import { stat } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { CsvError, parse } from 'csv-parse/sync';
import type { SkippedFile } from '../../data/dataset.ts';
import { DataError } from '../../data/errors.ts';
import { groupCopies } from '../../data/node/duplicates.ts';
import { readBytes } from '../../data/node/files.ts';
import { isReadable } from '../../data/node/scan.ts';
import type { FlowSource } from '../flow.ts';
import { rowsOf } from '../subset.ts';
import type { ClassMode, Targets } from '../targets.ts';
import { classTargets, mustBeTwo, selectTargets } from '../targets.ts';
import type { FileFlowOptions } from './files.ts';
import { fileDataset } from './files.ts';

/**
 * Beside the class modes of folders: `raw` gives the numbers of the columns `yCol` as one tensor, [batch] for a column
 * named by a string and [batch, columns] for a list; `multiOutput` gives a tensor [batch, 1] for each column.
 */
export type CsvClassMode = ClassMode | 'raw' | 'multiOutput';

export interface CsvFlowOptions extends FileFlowOptions {
  /** Where relative file names start. Default: the CSV's own folder. */
  readonly directory?: string;
  /** The column of file names. Default `filename`. */
  readonly xCol?: string;
  /** The column of classes, or the columns of numbers. Default `class`. */
  readonly yCol?: string | readonly string[];
  /** The classes to use, in the order of their indices; other rows are left out. Default: all in `yCol`, sorted. */
  readonly classes?: readonly string[];
  /** What is yielded beside the pictures. Default `categorical`. */
  readonly classMode?: CsvClassMode;
  /**
   * What separates the classes of a picture that has several, e.g. `;` for `cat;indoor`; `categorical` then gives a 1
   * for each. Default: a picture has one class.
   */
  readonly classSeparator?: string;
  /** Leave out rows whose file is not there, and list them in `skipped`. Default true. */
  readonly validateFilenames?: boolean;
  /** What separates the columns. Default a comma. */
  readonly delimiter?: string;
}

type Row = Readonly<Record<string, string>>;

const MODES: readonly CsvClassMode[] = ['categorical', 'binary', 'sparse', 'input', 'raw', 'multiOutput', null];

export async function csvSource(
  path: string,
  options: CsvFlowOptions,
  generator: Pick<FlowSource, 'settings' | 'fitted'>,
): Promise<FlowSource> {
  const { xCol = 'filename', yCol = 'class', classMode = 'categorical', directory = dirname(path) } = options;
  if (!MODES.includes(classMode)) {
    throw new DataError(`classMode must be one of ${MODES.map(String).join(', ')}, received '${classMode}'`);
  }
  const columns = classMode === 'input' || classMode === null ? [xCol] : [xCol, yCol].flat();
  const rows = await readRows(path, columns, options.delimiter ?? ',');
  const fileOf = (row: Row) => resolve(directory, row[xCol]);
  const { kept, skipped } = await withFiles(rows, fileOf, options.validateFilenames ?? true);
  if (kept.length === 0) {
    const why = skipped.length === 0 ? 'it has no rows' : `${skipped[0].path}: ${skipped[0].reason}`;
    throw new DataError(`${path} names no pictures that can be used (${why}); file names start in ${directory}`);
  }
  const labelled = targetsOf(path, kept, classMode, yCol, options);
  const files = labelled.rows.map((row) => ({ path: fileOf(kept[row]), name: kept[row][xCol] }));
  const sizeOf = async (file: string) => (await stat(file).catch(() => undefined))?.size ?? 0;
  const copies = async () =>
    groupCopies('', await Promise.all(files.map(async (file) => ({ ...file, bytes: await sizeOf(file.path) }))));
  const chosen = await rowsOf(options.subset, labelled.strata, generator.settings, copies);
  const dataset = await fileDataset(
    {
      name: path,
      root: '',
      paths: Array.from(chosen, (row) => files[row].path),
      labels: chosen.map((row) => labelled.labels[row]),
      classes: labelled.classes,
      skipped,
    },
    options,
  );
  return {
    ...generator,
    dataset,
    targets: selectTargets(labelled.targets, chosen),
    filenames: Array.from(chosen, (row) => files[row].name),
  };
}

/** @throws DataError for a file that is no CSV, or that lacks a column */
async function readRows(path: string, columns: readonly string[], delimiter: string): Promise<readonly Row[]> {
  const text = new TextDecoder().decode(await readBytes(path));
  let table: string[][];
  try {
    table = parse(text, { bom: true, delimiter, skip_empty_lines: true, trim: true });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new DataError(`${path} is not a CSV file that can be read: ${error.message}`);
  }
  const [header = [], ...lines] = table;
  const missing = columns.find((name) => !header.includes(name));
  if (missing !== undefined) {
    throw new DataError(`${path} has no column '${missing}'; its first line names ${header.join(', ') || 'none'}`);
  }
  return lines.map((line) => Object.fromEntries(header.map((name, i) => [name, line[i]])));
}

/** The rows whose file is there and, by its name, a picture. */
async function withFiles(rows: readonly Row[], fileOf: (row: Row) => string, validate: boolean) {
  if (!validate) return { kept: rows, skipped: [] };
  const problems = await Promise.all(rows.map((row) => problemOf(fileOf(row))));
  const skipped: SkippedFile[] = [];
  const kept = rows.filter((row, i) => {
    const reason = problems[i];
    if (reason !== undefined) skipped.push({ path: fileOf(row), reason });
    return reason === undefined;
  });
  return { kept, skipped };
}

async function problemOf(file: string): Promise<string | undefined> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return 'no such file';
  if (found.isDirectory()) return 'this is a folder, not an image';
  if (found.size === 0) return 'empty file';
  return isReadable(file) ? undefined : `${extname(file) || 'nameless'} files are not read`;
}

interface Labelled {
  /** Which of the given rows have a target; the rest of this is in their order. */
  readonly rows: readonly number[];
  readonly targets: Targets;
  /** A class for each, for replacing corrupt files; zeros where there are no classes. */
  readonly labels: Int32Array;
  /** Equal for those that a split must take the same share of. */
  readonly strata: Int32Array;
  readonly classes: readonly string[];
}

function targetsOf(
  path: string,
  kept: readonly Row[],
  classMode: CsvClassMode,
  yCol: string | readonly string[],
  options: CsvFlowOptions,
): Labelled {
  const all = kept.map((_, row) => row);
  const none = new Int32Array(kept.length);
  if (classMode === 'raw' || classMode === 'multiOutput') {
    if (classMode === 'multiOutput' && typeof yCol === 'string') {
      throw new DataError(`classMode 'multiOutput' needs a list of columns as yCol, received '${yCol}'`);
    }
    return { rows: all, targets: numbersOf(path, kept, classMode, yCol), labels: none, strata: none, classes: [] };
  }
  if (classMode === 'input' || classMode === null) {
    return { rows: all, targets: classTargets(classMode, none, 0), labels: none, strata: none, classes: [] };
  }
  if (typeof yCol !== 'string') {
    throw new DataError(`classMode '${classMode}' needs one column as yCol, received ${yCol.join(', ')}`);
  }
  const { classSeparator } = options;
  if (classSeparator !== undefined && classMode !== 'categorical') {
    throw new DataError(`classSeparator is for classMode 'categorical', received '${classMode}'`);
  }
  const named = kept.map((row) => {
    const names = classSeparator === undefined ? [row[yCol]] : row[yCol].split(classSeparator).map((s) => s.trim());
    return names.filter((name) => name !== '' && (options.classes?.includes(name) ?? true));
  });
  const classes = options.classes ?? [...new Set(named.flat())].sort();
  mustBeTwo(classMode, classes);
  const rows = all.filter((row) => named[row].length > 0);
  if (rows.length === 0) {
    throw new DataError(
      `${path}: no row of column '${yCol}' names one of the classes ${classes.join(', ') || '(none)'}`,
    );
  }
  const sets = rows.map((row) => named[row].map((name) => classes.indexOf(name)));
  const labels = Int32Array.from(sets, ([first]) => first);
  if (classSeparator === undefined) {
    return { rows, targets: classTargets(classMode, labels, classes.length), labels, strata: labels, classes };
  }
  const values = new Float32Array(rows.length * classes.length);
  sets.forEach((set, i) => {
    for (const label of set) values[i * classes.length + label] = 1;
  });
  const keys = sets.map((set) => [...set].sort((a, b) => a - b).join(' '));
  const distinct = [...new Set(keys)];
  const strata = Int32Array.from(keys, (key) => distinct.indexOf(key));
  return { rows, targets: { kind: 'rows', values, shape: [classes.length] }, labels, strata, classes };
}

/** @throws DataError for a cell that is not a number */
function numbersOf(
  path: string,
  kept: readonly Row[],
  classMode: 'raw' | 'multiOutput',
  yCol: string | readonly string[],
): Targets {
  const columns = [yCol].flat();
  const number = (row: Row, column: string) => {
    const value = Number(row[column]);
    if (row[column] !== '' && Number.isFinite(value)) return value;
    throw new DataError(
      `${path}: column '${column}' must hold numbers for classMode '${classMode}', received '${row[column]}'`,
    );
  };
  if (classMode === 'multiOutput') {
    const column = (name: string) => Float32Array.from(kept, (row) => number(row, name));
    return { kind: 'several', each: columns.map((name) => ({ kind: 'rows', values: column(name), shape: [1] })) };
  }
  const values = Float32Array.from(kept.flatMap((row) => columns.map((column) => number(row, column))));
  return { kind: 'rows', values, shape: typeof yCol === 'string' ? [] : [columns.length] };
}

/** Data without chosen samples: a list of names, as the doctor writes it, taken out of a data set's parts. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Dataset, Splits } from '../dataset.ts';
import { DataError } from '../errors.ts';
import { subset } from '../subset.ts';
import { pathProblem } from './files.ts';

/** Names of samples, and the folder from which relative ones are meant. */
export interface ExclusionList {
  readonly samples: readonly string[];
  readonly folder: string;
}

export interface Excluded {
  readonly splits: Splits;
  /** How many samples were taken out of each part. */
  readonly counts: Readonly<Partial<Record<'train' | 'validation' | 'test', number>>>;
  /** Names in the list that are not in the parts that were looked through. */
  readonly unknown: readonly string[];
}

/**
 * Takes samples out of the training and the validation part; the test stays as it is, unless `parts` says otherwise.
 * Close the result or the original, not both.
 *
 * @param list names as `Dataset.nameOf` gives them (a file's path, or `train#1234`), or a list that was read
 * @throws DataError where none of the names is in the data, or nothing would be left to train on
 * @example const { splits } = exclude(await openData('photos/'), await readExclusions('suspects.csv'))
 */
export function exclude(
  splits: Splits,
  list: ExclusionList | readonly string[],
  parts: readonly ('train' | 'validation' | 'test')[] = ['train', 'validation'],
): Excluded {
  const { samples, folder } = 'samples' in list ? list : { samples: list, folder: '.' };
  const wanted = new Map<string, string>();
  for (const name of samples) {
    // A path is meant from where the user stands, or else from where the list lies.
    for (const key of isRow(name) ? [name] : [resolve(name), resolve(folder, name)]) wanted.set(key, name);
  }
  const found = new Set<string>();
  const counts: Partial<Record<'train' | 'validation' | 'test', number>> = {};
  const without = (part: 'train' | 'validation' | 'test', dataset: Dataset): Dataset => {
    const kept: number[] = [];
    for (let i = 0; i < dataset.size; i++) {
      const own = dataset.nameOf?.(i) ?? dataset.fileOf?.(i) ?? `${part}#${i}`;
      const name = wanted.get(isRow(own) ? own : resolve(own));
      if (name === undefined) kept.push(i);
      else found.add(name);
    }
    counts[part] = dataset.size - kept.length;
    if (kept.length === dataset.size) return dataset;
    if (kept.length === 0) throw new DataError(`${dataset.name}: the list excludes all of its ${dataset.size} images`);
    return closing(subset(dataset, kept), dataset);
  };
  const result = { ...splits };
  for (const part of parts) {
    const dataset = splits[part];
    if (dataset !== undefined) result[part] = without(part, dataset);
  }
  if (found.size === 0 && samples.length > 0) {
    throw new DataError(
      `none of the ${samples.length} samples to exclude is in ${splits.train.name}, e.g. ${samples[0]}: is the list of other data?`,
    );
  }
  return { splits: result, counts, unknown: samples.filter((name) => !found.has(name)) };
}

/** The data set that a view looks at ends with it. */
function closing(view: Dataset, whole: Dataset): Dataset {
  view.close = () => whole.close();
  return view;
}

function isRow(name: string): boolean {
  return /^(train|validation|test)#\d+$/.test(name);
}

/**
 * Reads a list of samples: a CSV file with a column `sample` (as `residual doctor RUN` writes it; rows may be deleted), a
 * JSON array of names or of objects with `sample`, or plain lines.
 *
 * @throws DataError for a file that cannot be read or holds no list
 */
export async function readExclusions(path: string): Promise<ExclusionList> {
  const text = await readFile(path, 'utf8').catch((error) => Promise.reject(pathProblem(path, error)));
  const samples = /^\s*\[/.test(text) ? fromJson(path, text) : fromLines(path, text);
  return { samples, folder: dirname(path) };
}

function fromJson(path: string, text: string): string[] {
  let items: unknown;
  try {
    items = JSON.parse(text);
  } catch {
    throw new DataError(`${path} is no valid JSON`);
  }
  if (!Array.isArray(items)) throw new DataError(`${path} must hold a JSON array of samples`);
  return items.map((item: unknown, i) => {
    const name = typeof item === 'string' ? item : (item as { sample?: unknown } | null)?.sample;
    if (typeof name !== 'string') throw new DataError(`${path}: item ${i + 1} is neither a name nor has a 'sample'`);
    return name;
  });
}

function fromLines(path: string, text: string): string[] {
  const rows = parseCsv(text.replace(/^\ufeff/, ''));
  const column = rows[0]?.indexOf('sample') ?? -1;
  if (column < 0 && rows.some((row) => row.length > 1)) {
    throw new DataError(`${path} needs a column 'sample'; its first line is ${JSON.stringify(rows[0]?.join(','))}`);
  }
  return (column < 0 ? rows : rows.slice(1)).flatMap((row) => row[Math.max(0, column)] || []);
}

/** Rows of fields as RFC 4180 writes them: quoted where they hold commas, quotes or line ends. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, plain = '', end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    if (row.length > 1 || row[0] !== '') rows.push(row);
    row = [];
  }
  return rows;
}

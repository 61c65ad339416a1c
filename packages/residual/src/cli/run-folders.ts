/** Where runs are: finding the one that the user means, and a name for a new one. */

import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CommandError, UsageError } from './command.ts';
import { runsFolder } from './defaults.ts';
import { nearest } from './nearest.ts';

/**
 * A run's folder from what the user typed: a folder, a file in it, or a run's name.
 *
 * @throws CommandError where there is none, with the nearest name or the latest runs
 */
export async function findRun(typed: string, runs = runsFolder): Promise<string> {
  for (const candidate of [typed, join(runs, typed)]) {
    const found = await stat(candidate).catch(() => undefined);
    if (found?.isDirectory()) return candidate;
    if (found?.isFile() && basename(candidate) === 'model.json') return join(candidate, '..');
  }
  const names = await runNames(runs);
  const close = nearest(basename(typed), names);
  throw new CommandError(
    `there is no run ${typed}`,
    close !== undefined
      ? `did you mean ${join(runs, close)}?`
      : names.length === 0
        ? `there are no runs in ${runs}/ yet: residual train makes one`
        : `the latest are ${names.slice(0, 3).join(', ')}`,
  );
}

/**
 * The run that was worked on last.
 *
 * @throws CommandError where there is none
 */
export async function latestRun(runs: string): Promise<string> {
  const [latest] = await runNames(runs);
  if (latest === undefined)
    throw new CommandError(`there is no run in ${runs}/ to resume`, 'residual train begins one');
  return join(runs, latest);
}

/** Names of the runs, the one that was written to last first. */
async function runNames(runs: string): Promise<string[]> {
  const entries = await readdir(runs, { withFileTypes: true }).catch(() => []);
  const dated = await Promise.all(
    entries
      .filter((entry) => entry.isDirectory())
      .map(async ({ name }) => {
        const times = await Promise.all(
          ['run.json', 'history.jsonl'].map((file) => stat(join(runs, name, file)).catch(() => undefined)),
        );
        return { name, time: Math.max(...times.map((one) => one?.mtimeMs ?? 0)) };
      }),
  );
  return dated
    .filter(({ time }) => time > 0)
    .sort((a, b) => b.time - a.time)
    .map(({ name }) => name);
}

/** A name that says what the run is and when it began: `photos-resnet18-20260131-1405`. */
export function runName(data: string, model: string, now = new Date()): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  const time = `${two(now.getHours())}${two(now.getMinutes())}`;
  const what = basename(data.replace(/[/\\]+$/, ''))
    .replace(/[^\p{L}\p{N}._-]+/gu, '-')
    .replace(/^[.-]+/, '');
  return [what, model, day, time].filter((part) => part !== '').join('-');
}

/**
 * The folder of a new run, which must not be there yet. A name made by us gets a number where two runs begin within a
 * minute.
 *
 * @throws UsageError for a name that is a path, CommandError for one that is taken
 */
export async function newRunFolder(runs: string, name: string, chosen: boolean): Promise<string> {
  if (name === '' || name === '.' || name === '..' || /[/\\]/.test(name)) {
    throw new UsageError(
      `--name must be a single folder name, received '${name}'`,
      'choose where runs go with --runs FOLDER',
    );
  }
  for (let i = 1; ; i++) {
    const folder = join(runs, i === 1 ? name : `${name}-${i}`);
    if ((await stat(folder).catch(() => undefined)) === undefined) return folder;
    if (chosen) {
      throw new CommandError(
        `${folder} exists already`,
        `go on with it by residual train --resume ${folder}, or choose another --name`,
      );
    }
  }
}

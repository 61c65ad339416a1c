/**
 * `npm run bench -- ordinary`: ordinary TF.js code with small tensors on this project's backend and on stock cpu, in
 * processes of their own that take turns. A compiler must not make slow what needs no compiler.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Times } from './ordinary-code.ts';
import { median } from './work.ts';

const BACKENDS = ['jit', 'cpu'] as const;
type ByBackend = Readonly<Record<(typeof BACKENDS)[number], Times>>;

const run = promisify(execFile);

async function timesOn(backend: string): Promise<Readonly<Record<string, Times>>> {
  const { stdout } = await run(process.execPath, [join(import.meta.dirname, 'ordinary-code.ts'), backend]);
  return JSON.parse(stdout.slice(stdout.lastIndexOf('\n{') + 1));
}

/** Prints a table of microseconds, medians over `rounds`, or one object. */
export async function benchOrdinary(rounds: number, json: boolean): Promise<void> {
  const all: Record<(typeof BACKENDS)[number], Readonly<Record<string, Times>>[]> = { jit: [], cpu: [] };
  for (let round = 0; round < rounds; round++) {
    for (const backend of BACKENDS) all[backend].push(await timesOn(backend));
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
  const middle = (backend: (typeof BACKENDS)[number], name: string): Times => {
    const of = (key: keyof Times) => median(all[backend].map((times) => times[name][key]));
    return { first: of('first'), fresh: of('fresh'), again: of('again') };
  };
  const names = Object.keys(all.jit[0]);
  const results = names.map((name): [string, ByBackend] => [
    name,
    { jit: middle('jit', name), cpu: middle('cpu', name) },
  ]);
  console.log(json ? JSON.stringify(Object.fromEntries(results), null, 2) : tableOf(results));
}

const COLUMNS = { first: 'first call', fresh: 'other shapes each', again: 'the same again' } as const;

function tableOf(results: readonly (readonly [string, ByBackend])[]): string {
  const width = Math.max(...results.map(([name]) => name.length));
  const cell = ({ jit, cpu }: ByBackend, key: keyof Times) =>
    `${jit[key].toFixed(0).padStart(8)}${cpu[key].toFixed(0).padStart(8)}${(jit[key] / cpu[key]).toFixed(2).padStart(7)}`;
  const keys = Object.keys(COLUMNS) as (keyof Times)[];
  return [
    `microseconds a call   ${''.padEnd(width - 22)}${keys.map((key) => COLUMNS[key].padStart(23)).join('')}`,
    `${''.padEnd(width)}${keys.map(() => '     jit     cpu  ratio').join('')}`,
    ...results.map(([name, times]) => `${name.padEnd(width)}${keys.map((key) => cell(times, key)).join('')}`),
  ].join('\n');
}

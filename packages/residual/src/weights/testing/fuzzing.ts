/** Attacks a reader with thousands of damaged files, in a process of its own that may write nothing.
 *  What a reader may do with any file: read it, or throw a WeightsError of one line; soon, and in bounded memory. */

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FuzzCase } from './mutations.ts';

export type { FuzzCase } from './mutations.ts';

export interface FuzzOptions {
  /** The module that exports the reader: `new URL('./safetensors.ts', import.meta.url)`. */
  readonly module: URL;
  /** The name of the export, a `WeightReader`. */
  readonly reader: string;
  /** Files that the reader reads without complaint; mutants are made of them. Small, a few kB each. */
  readonly valid: readonly FuzzCase[];
  /** Files that the reader must refuse, such as a bomb made by hand. */
  readonly hostile?: readonly FuzzCase[];
  /** Mutants; default 2000. */
  readonly count?: number;
  /** Default 1. */
  readonly seed?: number;
  /** Only the mutant of this number, to look at what failed. */
  readonly only?: number;
}

export interface FuzzResult {
  /** Mutants that were read to the end: the damage hit values, or nothing that counts. */
  readonly accepted: number;
  /** Mutants and hostile files that were answered with a WeightsError. */
  readonly refused: number;
  /** How often each message was given, its names and numbers left out. */
  readonly messages: Readonly<Record<string, number>>;
}

/** What the child is told, and what it tells. */
export type FuzzJob = Omit<FuzzOptions, 'module'> & { readonly module: string };
export type FuzzReport =
  | { readonly kind: 'at'; readonly label: string }
  | { readonly kind: 'failed'; readonly label: string; readonly reason: string }
  | { readonly kind: 'done'; readonly result: FuzzResult };

/** No file takes longer than this, of wall-clock time: far more than the 2 s of processor time that the child allows,
 *  since tests share their machine. */
const HUNG = 180_000;

/**
 * Reads `count` mutants and all tensors in each. Use it in one test per reader:
 *
 * ```ts
 * test('damaged files give clear errors', async () => {
 *   const { accepted, refused } = await fuzzReader({ module: new URL('./onnx.ts', import.meta.url), reader: 'readOnnx', valid });
 *   assert.ok(accepted > 100 && refused > 500);
 * });
 * ```
 *
 * Fails the test at the first file where the reader throws anything but a WeightsError of one line, gives two tensors
 * of one name or values that are not as many as the shape says, takes 2 s of processor time, holds more memory than
 * the files' size and 256 MB, reads outside the repository, or tries to write, to use the network or to start a
 * process. The message names the mutant, for `only`.
 */
export async function fuzzReader(options: FuzzOptions): Promise<FuzzResult> {
  const root = fileURLToPath(new URL('../../../../../', import.meta.url));
  const child = fork(fileURLToPath(new URL('./fuzzing-child.ts', import.meta.url)), {
    execArgv: ['--permission', `--allow-fs-read=${root}`, '--expose-gc', '--disable-warning=SecurityWarning'],
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  let at = 'its start';
  let timer: NodeJS.Timeout | undefined;
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  try {
    return await new Promise<FuzzResult>((resolve, reject) => {
      const fail = (reason: string) => reject(new assert.AssertionError({ message: `${options.reader}: ${reason}` }));
      const wait = () => {
        clearTimeout(timer);
        timer = setTimeout(() => fail(`hung at ${at}`), HUNG);
      };
      child.on('message', (report: FuzzReport) => {
        wait();
        if (report.kind === 'at') at = report.label;
        else if (report.kind === 'failed') fail(`${report.label}: ${report.reason}`);
        else resolve(report.result);
      });
      child.on('exit', (code, signal) => fail(`the process ended (${signal ?? code}) after ${at}\n${errors}`));
      child.on('error', reject);
      wait();
      const job: FuzzJob = { ...options, module: options.module.href };
      child.send(job);
    });
  } finally {
    clearTimeout(timer);
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
  }
}

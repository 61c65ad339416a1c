/** For tests of the command line: runs it as a child process, as users do, and makes small folders of pictures.
 *  Not part of the program. */

import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';

const main = join(import.meta.dirname, 'main.ts');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Called with everything on stderr so far; returns a signal to send, once. */
  readonly onStderr?: (text: string) => NodeJS.Signals | undefined;
  /** A command before Node's, e.g. of a shell that prepares its environment. */
  readonly under?: readonly string[];
}

/** Runs `residual …` to its end, without a terminal and without colours. */
export function residual(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { npm_command: _, FORCE_COLOR: __, JIT_THREADS: ___, ...env } = process.env;
  const [command = '', ...rest] = [...(options.under ?? []), process.execPath, main, ...args];
  const child = spawn(command, rest, { cwd: options.cwd, env: { ...env, NO_COLOR: '1', LC_ALL: 'C.UTF-8' } });
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    let signalled = false;
    child.stdout.on('data', (data) => {
      stdout += data;
    });
    child.stderr.on('data', (data) => {
      stderr += data;
      const signal = signalled ? undefined : options.onStderr?.(stderr);
      if (signal !== undefined) {
        signalled = true;
        child.kill(signal);
      }
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** A new empty folder. */
export function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'residual-'));
}

/** A folder of pictures in the given colours, one class each, of 12 × 10 noisy pixels. */
export async function makePhotos(folder: string, perClass: number): Promise<string> {
  const colours = { blue: [30, 60, 230], 'green & co': [40, 220, 60], red: [240, 40, 30] } as const;
  let noise = 1;
  for (const [name, colour] of Object.entries(colours)) {
    await mkdir(join(folder, name), { recursive: true });
    for (let i = 0; i < perClass; i++) {
      const pixels = Uint8Array.from({ length: 12 * 10 * 3 }, (_, k) => {
        noise = (noise * 48_271) % 2_147_483_647;
        return Math.min(255, Math.max(0, (colour[k % 3] ?? 0) + (noise % 61) - 30));
      });
      const raw = { width: 12, height: 10, channels: 3 } as const;
      await writeFile(join(folder, name, `${i}.png`), await sharp(pixels, { raw }).png().toBuffer());
    }
  }
  return folder;
}

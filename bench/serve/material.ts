/** What the measurements of the server share: a network and pictures on disk, and the server as a process of its own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu'; // to make weights
import { resnet18, saveModel } from 'residual';
import sharp from 'sharp';

const MAIN = join(import.meta.dirname, '..', '..', 'packages', 'residual', 'src', 'cli', 'main.ts');

export function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'residual-serve-'));
}

/** A ResNet18 with first weights of a seed; its answers are as good as any for measuring. */
export async function writeNetwork(
  folder: string,
  size: number,
  seed: number,
  classes = 10,
  width = 64,
): Promise<void> {
  const model = resnet18({ inputShape: [size, size, 3], classes, width, seed });
  await saveModel(
    model,
    {
      format: 'residual/1',
      architecture: 'resnet18',
      classes: Array.from({ length: classes }, (_, k) => `class ${k}`),
      preprocessing: {
        inputShape: [size, size, 3],
        resize: 'cover',
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
      },
    },
    folder,
  );
  model.dispose();
}

/** JPEGs of smooth colours under some noise, of the size and the weight of ImageNet's photographs. */
export async function makeJpegs(count: number, width = 500, height = 375): Promise<Buffer[]> {
  return Promise.all(
    Array.from({ length: count }, (_, n) => {
      let noise = n + 1;
      const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
        noise = (noise * 48_271) % 2_147_483_647;
        const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
        return 128 + 90 * Math.sin((x * (1 + (i % 3)) + 20 * n) / 60) * Math.cos(y / (20 + n)) + (noise % 31) - 15;
      });
      return sharp(pixels, { raw: { width, height, channels: 3 } })
        .jpeg({ quality: 85 })
        .toBuffer();
    }),
  );
}

export async function writeJpegs(folder: string, count: number): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const jpegs = await makeJpegs(count);
  return Promise.all(
    jpegs.map(async (bytes, i) => {
      const file = join(folder, `${i}.jpg`);
      await writeFile(file, bytes);
      return file;
    }),
  );
}

export interface RunningServer {
  readonly url: string;
  readonly process: ChildProcess;
  /** All that it wrote to stderr. */
  errors(): string;
  /** Sends SIGTERM; the exit code. */
  stop(): Promise<number | null>;
}

/** Starts `residual serve` at any free port and waits until it listens. */
export function startServer(args: readonly string[]): Promise<RunningServer> {
  const child = spawn(process.execPath, [MAIN, 'serve', ...args, '--port', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  let errors = '';
  return new Promise((resolve, reject) => {
    child.stderr.on('data', (data) => {
      errors += data;
      const [, url] = / at (https?:\S+)/.exec(errors) ?? [];
      if (url === undefined) return;
      const stop = () => {
        child.kill('SIGTERM');
        return ended;
      };
      resolve({ url, process: child, errors: () => errors, stop });
    });
    child.on('exit', () => reject(new Error(`the server ended: ${errors}`)));
  });
}

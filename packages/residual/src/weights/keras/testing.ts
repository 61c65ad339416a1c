/** The fixtures of this folder, which interop/weights/save_keras.py wrote, and the picture that their outputs are of. */

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { noSiblings } from '../reader.ts';
import { bytesSource } from '../source.ts';
import type { KerasFile } from './keras-file.ts';
import { readKeras } from './read-keras.ts';

const file = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url));

/** The guide's network as Keras computes it. */
export interface Expected {
  readonly inputShape: readonly [number, number, number];
  readonly classes: number;
  readonly filters: readonly number[];
  /** Of the two pictures, [2, classes]. */
  readonly logits: number[][];
  readonly probabilities: number[][];
  /** Outputs of the smaller networks. */
  readonly nested: number[][];
  readonly tiny: number[][];
}

export const expected = JSON.parse(file('expected.json').toString()) as Expected;

export const fixture = (name: string): Uint8Array<ArrayBuffer> => new Uint8Array(gunzipSync(file(`${name}.gz`)));

export const readFixture = (name: string): Promise<KerasFile> =>
  readKeras(bytesSource(fixture(name), name), noSiblings);

/** Numbers in [0, 1): ((i · 2654435761) mod 2³²) / 2³², the same as in the script. */
export function picture(size: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => (Math.imul(i, 2654435761 | 0) >>> 0) / 2 ** 32);
}

/** The largest difference, relative to the range of what is expected. */
export function difference(found: ArrayLike<number>, expected: readonly number[]): number {
  const range = Math.max(...expected) - Math.min(...expected);
  return Math.max(...expected.map((value, i) => Math.abs((found[i] ?? Number.NaN) - value))) / range;
}

/** What fixtures must give, as the scripts in interop/weights/ wrote it beside them: bits, not nearly.
 *  Shared by the tests of the readers. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { WeightFile } from '../tensor.ts';

/** A tensor as interop/weights/*.py describe it. */
export interface Expected {
  readonly type: string;
  readonly shape: readonly number[];
  /** Little-endian 32-bit floats in base64. */
  readonly float32: string;
}

export async function readExpected(path: string): Promise<Record<string, Expected>> {
  return JSON.parse(await readFile(path, 'utf8'));
}

/** The bits of 32-bit floats, in base64, as `Expected` has them. */
export function bitsOf(values: Float32Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');
}

/** The inverse of `bitsOf`. */
export function floatsIn(base64: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer);
}

/** Reads every tensor. */
export async function described(file: Pick<WeightFile, 'tensors'>): Promise<Record<string, Expected>> {
  const found: Record<string, Expected> = {};
  for (const { name, type, shape, read } of file.tensors) {
    found[name] = { type, shape, float32: bitsOf(await read()) };
  }
  return found;
}

/** That the file has these tensors and no others, with the same types, shapes and bits, in any order. */
export async function assertExpected(file: WeightFile, expected: Readonly<Record<string, Expected>>): Promise<void> {
  assert.deepEqual(await described(file), expected);
}

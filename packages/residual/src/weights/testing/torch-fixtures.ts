/** What interop/weights/torch_resnet.py wrote: files of PyTorch's networks and the logits that PyTorch computes. */

import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { noSiblings, type WeightReader } from '../reader.ts';
import { bytesSource } from '../source.ts';
import type { WeightFile } from '../tensor.ts';

const folder = new URL('../fixtures/torch/', import.meta.url);

interface Expected {
  readonly classes: number;
  readonly networks: Readonly<
    Record<
      'resnet18' | 'narrow' | 'cifar50',
      { readonly width: number; readonly logits: Readonly<Record<number, number[][]>> }
    >
  >;
}

export const torchExpected = JSON.parse(await readFile(new URL('expected.json', folder), 'utf8')) as Expected;

export async function torchBytes(name: string): Promise<Uint8Array> {
  return gunzipSync(await readFile(new URL(`${name}.gz`, folder)));
}

/** An open file, as a reader sees it. */
export async function openTorch(name: string, read: WeightReader): Promise<WeightFile> {
  return read(bytesSource(await torchBytes(name), name), noSiblings);
}

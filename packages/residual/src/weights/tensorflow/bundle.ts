/** The entries of a checkpoint's index: type, shape, and where the numbers are, of each tensor.
 *  tensorflow/core/protobuf/tensor_bundle.proto */

import { WeightsError } from '../errors.ts';
import { readMessage } from '../protobuf-message.ts';
import { bytesSource } from '../source.ts';
import type { StoredType } from '../tensor.ts';
import type { TableEntry } from './table.ts';

/** tensorflow/core/framework/types.proto */
const TYPES: Readonly<Record<number, StoredType>> = {
  1: 'float32',
  2: 'float64',
  3: 'int32',
  4: 'uint8',
  5: 'int16',
  6: 'int8',
  9: 'int64',
  10: 'bool',
  14: 'bfloat16',
  17: 'uint16',
  19: 'float16',
  22: 'uint32',
  23: 'uint64',
};
export const DT_STRING = 7;

export interface BundleHeader {
  readonly shards: number;
  readonly littleEndian: boolean;
}

export interface BundleEntry {
  readonly key: string;
  /** As TensorFlow numbers it. */
  readonly dtype: number;
  /** Undefined for what are no numbers that can be read. */
  readonly type: StoredType | undefined;
  readonly shape: readonly number[];
  readonly shard: number;
  /** In bytes, within the shard. */
  readonly offset: number;
  readonly size: number;
  /** Masked, of the bytes. */
  readonly crc32c: number;
  /** Cut into slices, which are under keys of their own. */
  readonly sliced: boolean;
}

const whole = (bytes: Uint8Array) => ({ start: 0, end: bytes.length });

/** The entry of the empty key. */
export async function bundleHeader({ value }: TableEntry, name: string): Promise<BundleHeader> {
  const message = await readMessage(bytesSource(value, name), whole(value));
  const consumer = (await message.message(3))?.integer(2) ?? 0;
  if (consumer > 1) throw new WeightsError(`${name}: needs version ${consumer} of the format, version 1 can be read`);
  return { shards: message.integer(1) ?? 0, littleEndian: (message.integer(2) ?? 0) === 0 };
}

export async function bundleEntry({ key: bytes, value }: TableEntry, name: string): Promise<BundleEntry> {
  const key = new TextDecoder().decode(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
  const message = await readMessage(bytesSource(value, name), whole(value));
  const dtype = message.integer(1) ?? 0;
  const shape: number[] = [];
  for (const dim of (await (await message.message(2))?.messages(2)) ?? []) shape.push(dim.integer(1) ?? 0);
  return {
    key,
    dtype,
    type: TYPES[dtype],
    shape,
    shard: message.integer(3) ?? 0,
    offset: message.integer(4) ?? 0,
    size: message.integer(5) ?? 0,
    crc32c: (await message.fixed32(6)) ?? 0,
    sliced: message.has(7),
  };
}

/** Readers with the faults that fuzzing.ts must find, and one without. */

import { writeFileSync } from 'node:fs';
import { WeightsError } from '../errors.ts';
import type { WeightReader } from '../reader.ts';
import type { WeightFile } from '../tensor.ts';

const good: WeightReader = async (source) => {
  const bytes = await source.read(0, source.size);
  if (bytes[0] !== 1) throw new WeightsError(`${source.name}: begins with ${bytes[0]}, not with 1`);
  const values = Float32Array.from(bytes);
  const tensor = { name: 'a', type: 'uint8', shape: [values.length], read: async () => values } as const;
  return { format: 'onnx', name: source.name, tensors: [tensor], metadata: {}, close: async () => {} };
};

/** Reads well while the file has its 64 bytes. */
const otherwise =
  (bad: (file: WeightFile) => Promise<WeightFile>): WeightReader =>
  async (source, siblings) =>
    source.size === 64
      ? good(source, siblings)
      : bad(await good({ ...source, size: Math.min(64, source.size) }, siblings));

export const readWell = good;
export const readAndThrow = otherwise(async () => {
  throw new TypeError('x is undefined');
});
export const readSlowly = otherwise(async (file) => {
  const end = process.cpuUsage().user + 2.2e6;
  // Few questions to the system, whose time counts as well.
  while (process.cpuUsage().user < end) for (let i = 0, x = 1; i < 1e6; i++) x = Math.sin(x);
  return file;
});
export const readGreedily = otherwise(async (file) => {
  new Float32Array(2 ** 28).fill(1);
  return file;
});
export const readAndWrite = otherwise(async (file) => {
  writeFileSync('written.txt', 'x');
  return file;
});
export const readTwice = otherwise(async (file) => ({ ...file, tensors: [...file.tensors, ...file.tensors] }));
export const readTooFew = otherwise(async (file) => {
  const [tensor] = file.tensors;
  return { ...file, tensors: [{ ...tensor, shape: [1, 7] }] };
});

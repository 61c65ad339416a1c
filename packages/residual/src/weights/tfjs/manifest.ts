/** The weights manifest of a TF.js model.json, checked: which files make up a group, and which weights are in it.
 *  https://github.com/tensorflow/tfjs/blob/master/tfjs-core/src/io/types.ts */

import { WeightsError } from '../errors.ts';
import { show } from '../reader.ts';

export interface Quantization {
  readonly dtype: 'uint8' | 'uint16' | 'float16';
  /** value = stored · scale + min; 1 and 0 for float16. */
  readonly scale: number;
  readonly min: number;
}

export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32' | 'bool' | 'string' | 'complex64';
  /** 'optimizer' for the state of one. */
  readonly group: string | undefined;
  readonly quantization: Quantization | undefined;
}

export interface WeightGroup {
  readonly paths: readonly string[];
  readonly weights: readonly WeightSpec[];
}

const DTYPES = ['float32', 'int32', 'bool', 'string', 'complex64'] as const;
const QUANTIZED = ['uint8', 'uint16', 'float16'] as const;

/** @throws WeightsError for what is no manifest, in a line that begins with `file` */
export function checkedManifest(value: unknown, file: string): WeightGroup[] {
  if (!Array.isArray(value)) throw new WeightsError(`${file}: weightsManifest must be a list`);
  const seen = new Set<string>();
  return value.map((group: unknown, i): WeightGroup => {
    const where = `${file}: group ${i + 1} of the weightsManifest`;
    const { paths, weights } = record(group, where);
    if (!Array.isArray(paths) || !Array.isArray(weights))
      throw new WeightsError(`${where} must have paths and weights`);
    for (const path of paths as unknown[]) {
      if (typeof path !== 'string') throw new WeightsError(`${where}: a path must be a text`);
      // The same shard twice is an attack: it would make much of little.
      if (seen.has(path)) throw new WeightsError(`${where}: names the file ${show(path)} a second time`);
      seen.add(path);
    }
    return { paths: paths as string[], weights: weights.map((spec: unknown) => checkedSpec(spec, where)) };
  });
}

function checkedSpec(value: unknown, where: string): WeightSpec {
  const { name, shape, dtype, group, quantization } = record(value, where);
  if (typeof name !== 'string' || name === '') throw new WeightsError(`${where}: has a weight without a name`);
  const what = `${where}: weight ${show(name)}`;
  if (!Array.isArray(shape)) throw new WeightsError(`${what}: has no shape`);
  return {
    name,
    shape: shape as number[], // elementsOf checks the numbers
    dtype: oneOf(DTYPES, dtype, `${what}: dtype`),
    group: typeof group === 'string' ? group : undefined,
    quantization: quantization === undefined ? undefined : checkedQuantization(quantization, dtype, what),
  };
}

function checkedQuantization(value: unknown, of: unknown, what: string): Quantization {
  const { dtype: stored, scale, min } = record(value, `${what}: quantization`);
  const dtype = oneOf(QUANTIZED, stored, `${what}: quantization dtype`);
  if (of !== 'float32' && (of !== 'int32' || dtype === 'float16')) {
    throw new WeightsError(`${what}: ${show(String(of))} cannot be quantized to ${dtype}`);
  }
  if (dtype === 'float16') return { dtype, scale: 1, min: 0 };
  if (typeof scale !== 'number' || typeof min !== 'number') {
    throw new WeightsError(`${what}: ${dtype} quantization needs numbers scale and min`);
  }
  return { dtype, scale, min };
}

function oneOf<T extends string>(choices: readonly T[], value: unknown, what: string): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw new WeightsError(`${what} must be one of ${choices.join(', ')}, is ${show(String(JSON.stringify(value)))}`);
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new WeightsError(`${what} must be an object`);
}

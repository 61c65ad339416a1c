/** A dataset of a Keras file as a tensor of weights. */

import { WeightsError } from '../errors.ts';
import { elementsOf, toFloat32 } from '../floats.ts';
import { show } from '../reader.ts';
import type { Hdf5File } from './hdf5-file.ts';
import type { KerasTensor } from './keras-file.ts';

/** @throws WeightsError where `path` is no dataset of numbers */
export async function kerasTensor(
  file: Hdf5File,
  path: string,
  name: string,
  variable: string | undefined,
): Promise<KerasTensor> {
  if ((await file.kind(path)) !== 'dataset') {
    throw new WeightsError(`${file.source.name}: says it holds ${show(name)}, and does not`);
  }
  const { type, shape, read } = await file.dataset(path);
  elementsOf(shape, `${file.source.name}: ${show(name)}`);
  return { name, type, shape, variable, read: async () => toFloat32(await read(), type) };
}

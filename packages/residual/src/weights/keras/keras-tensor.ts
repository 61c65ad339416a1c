/** A dataset of a Keras file as a tensor of weights. */

import { elementsOf, toFloat32 } from '../floats.ts';
import { show } from '../reader.ts';
import type { Hdf5File } from './hdf5-file.ts';
import type { Hdf5Dataset, Hdf5View } from './hdf5-view.ts';
import type { KerasTensor } from './keras-file.ts';

/** What is known of a tensor before it is read. */
export interface StoredTensor {
  readonly name: string;
  readonly variable: string | undefined;
  readonly dataset: Hdf5Dataset;
}

/** @throws WeightsError where `path` is no dataset of numbers */
export function storedTensor(view: Hdf5View, path: string, name: string, variable: string | undefined): StoredTensor {
  if (view.kind(path) !== 'dataset') throw view.error(`says it holds ${show(name)}, and does not`);
  return { name, variable, dataset: view.dataset(path) };
}

export function kerasTensor(file: Hdf5File, { name, variable, dataset }: StoredTensor): KerasTensor {
  const { type, shape } = dataset;
  elementsOf(shape, `${file.source.name}: ${show(name)}`);
  return { name, type, shape, variable, read: async () => toFloat32(await file.read(dataset), type) };
}

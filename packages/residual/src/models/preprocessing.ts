/** The normalisation that a network's weights were trained with, kept in the model itself: `model.save` and
 *  `loadLayersModel` carry it along as user-defined metadata. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Normalization } from '../data/dataset.ts';

const KEY = 'residual';

/** Notes on the model how its pictures are to be normalised: (x / 255 − mean) / std, per channel. */
export function setPreprocessing(model: LayersModel, { mean, std }: Normalization): void {
  const others = (model.getUserDefinedMetadata() ?? {}) as Readonly<Record<string, unknown>>;
  model.setUserDefinedMetadata({ ...others, [KEY]: { mean: [...mean], std: [...std] } });
}

/** What `setPreprocessing` noted, or undefined for a model that was never told. */
export function preprocessingOf(model: LayersModel): Normalization | undefined {
  const metadata = model.getUserDefinedMetadata() as Readonly<Record<string, Partial<Normalization>>> | undefined;
  const { mean, std } = metadata?.[KEY] ?? {};
  return Array.isArray(mean) && Array.isArray(std) ? { mean, std } : undefined;
}

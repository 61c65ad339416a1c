/** How the pictures for a network's weights are to be prepared, kept in the model itself: `model.save` and
 *  `loadLayersModel` carry it along as user-defined metadata. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Preprocessing } from './info.ts';

/** What is known of it: the normalisation, and the rest where it was said. */
export type KnownPreprocessing = Pick<Preprocessing, 'mean' | 'std'> &
  Partial<Pick<Preprocessing, 'resize' | 'crop' | 'interpolation'>>;

const KEY = 'residual';

/** Notes on the model how its pictures are to be prepared. */
export function setPreprocessing(model: LayersModel, preprocessing: KnownPreprocessing): void {
  const { mean, std, resize, crop, interpolation } = preprocessing;
  const others = (model.getUserDefinedMetadata() ?? {}) as Readonly<Record<string, unknown>>;
  const known = { mean: [...mean], std: [...std], resize, crop, interpolation };
  model.setUserDefinedMetadata({ ...others, [KEY]: JSON.parse(JSON.stringify(known)) });
}

/** What `setPreprocessing` noted, or undefined for a model that was never told. */
export function preprocessingOf(model: LayersModel): KnownPreprocessing | undefined {
  const metadata = model.getUserDefinedMetadata() as Readonly<Record<string, Partial<Preprocessing>>> | undefined;
  const { mean, std, ...rest } = metadata?.[KEY] ?? {};
  return Array.isArray(mean) && Array.isArray(std) ? { mean, std, ...rest } : undefined;
}

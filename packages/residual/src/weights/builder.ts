/** Builders of networks that take weights or not: a small file, so that a page without pretrained weights does not load
 *  what reads them. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type ResNetOptions, type ResNetVariant, resnet } from '../models/resnet.ts';
import type { PretrainedOptions } from './pretrained.ts';

/** A network's builder: at once without weights, as a promise with them. */
export interface Builder<W> {
  (options: ResNetOptions & { readonly weights?: undefined }): LayersModel;
  (options: PretrainedOptions<W>): Promise<LayersModel>;
}

/** The builder of a variant, for files that `open` opens. */
export function builder<W>(
  variant: ResNetVariant,
  pretrained: (name: string, options: PretrainedOptions<W>) => Promise<LayersModel>,
): Builder<W> {
  function build(options: ResNetOptions & { readonly weights?: undefined }): LayersModel;
  function build(options: PretrainedOptions<W>): Promise<LayersModel>;
  function build(options: (ResNetOptions & { readonly weights?: undefined }) | PretrainedOptions<W>) {
    return isPlain(options) ? resnet(variant, options) : pretrained(variant, options);
  }
  return build;
}

function isPlain(options: ResNetOptions | PretrainedOptions<unknown>): options is ResNetOptions {
  return !('weights' in options) || options.weights === undefined;
}

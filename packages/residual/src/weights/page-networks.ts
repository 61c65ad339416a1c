/** The networks as a page has them: what reads weights is loaded when the first are given. */

import { builder } from './builder.ts';
import type { PretrainedOptions } from './pretrained.ts';
import type { WeightFile } from './tensor.ts';

/** @see pretrained in page.ts */
async function lazily(name: string, options: PretrainedOptions<Blob | WeightFile>) {
  return (await import('./page.ts')).pretrained(name, options);
}

/** ResNet-18: 11,689,512 trainable parameters at 1000 classes and 3 channels. With `weights` a promise of it. */
export const resnet18 = /* @__PURE__ */ builder('resnet18', lazily);

/** ResNet-34: 21,797,672 trainable parameters at 1000 classes and 3 channels. With `weights` a promise of it. */
export const resnet34 = /* @__PURE__ */ builder('resnet34', lazily);

/** ResNet-50 (v1.5): 25,557,032 trainable parameters at 1000 classes and 3 channels. With `weights` a promise of it. */
export const resnet50 = /* @__PURE__ */ builder('resnet50', lazily);

/** A model's architecture as Keras 2 and Keras 3 read it from a `.h5`: TF.js writes Keras 2.2's form, nearly. */

import type * as tfl from '@tensorflow/tfjs-layers';
import { field } from './class-names.ts';

/** For the attribute `model_config` of a whole model. */
export function kerasConfig(model: tfl.LayersModel): unknown {
  const { class_name, config } = model.toJSON(null, false) as Record<string, unknown>;
  return named({ class_name, config });
}

/** `Model` is `Functional` since TensorFlow 2.3; models within models alike. */
function named(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(named);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, named(inner)]);
  const copy: Record<string, unknown> = Object.fromEntries(entries);
  if (copy.class_name === 'Model' && field(copy.config, 'layers')) copy.class_name = 'Functional';
  return copy;
}

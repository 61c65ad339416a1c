/** Where in a picture a network sees a class: Grad-CAM (R. R. Selvaraju et al., arXiv 1610.02391, equations 1 and 2).
 *  Works on any LayersModel with a spatial map in it, whatever its head, on any backend. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { ModelError } from '../models/errors.ts';
import { networkOf, sumsOf } from '../models/network.ts';
import { inputsOf } from '../models/transfer/graph.ts';
import { type Known, valueOf } from './evaluate-part.ts';
import { mapOf } from './map-layer.ts';

export interface GradCamOptions {
  /** A layer whose output is explained in place of the last map's; earlier ones are finer and say less of the class. */
  readonly layer?: string;
}

/** How much each place of a picture speaks for a class. */
export interface HeatMap {
  /** The class that is explained. */
  readonly classIndex: number;
  /** The layer whose output has these places. */
  readonly layer: string;
  /** Places, not pixels: 7 × 7 for ResNet18 at 224 × 224. They cover the network's input evenly. */
  readonly width: number;
  readonly height: number;
  /** height × width, row-major, from 0 (nothing speaks for the class) to 1 (the most of this picture). */
  readonly values: Float32Array;
  /** What 1 stands for, in units of the class's logit; 0 where no place speaks for the class. */
  readonly peak: number;
}

/**
 * Grad-CAM of one picture: the maps of the last spatial layer, weighted by the mean gradient of the class's logit with
 * respect to each, summed and cut off at 0.
 *
 * @param image [1, height, width, channels], normalised as the network wants it
 * @param classIndex Default: the most probable class.
 * @throws ModelError for an image of another shape, a class or layer that there is not, a network without a spatial map,
 *   and one whose outputs are not finite
 * @example const { width, height, values } = await gradCam(model, image);
 */
export async function gradCam(
  model: LayersModel,
  image: tf.Tensor4D,
  classIndex?: number,
  { layer }: GradCamOptions = {},
): Promise<HeatMap> {
  const { inputShape, classes } = networkOf(model);
  if (`${image.shape}` !== `1,${inputShape}`) {
    throw new ModelError(`gradCam: image must be [1,${inputShape}], received [${image.shape}]`);
  }
  if (classIndex !== undefined && !(Number.isInteger(classIndex) && classIndex >= 0 && classIndex < classes)) {
    throw new ModelError(`gradCam: classIndex must be a whole number from 0 to ${classes - 1}, received ${classIndex}`);
  }
  const source = mapOf(model, layer);
  const tail = logitsOf(model);
  const { maps, logits } = tf.tidy(() => {
    const known: Known = new Map([[(model.inputs[0] as SymbolicTensor).id, image]]);
    const maps = tf.keep(valueOf(source, known) as tf.Tensor4D);
    return { maps, logits: tail(known) };
  });
  try {
    const scores = await logits.data<'float32'>();
    if (!scores.every(Number.isFinite)) throw new ModelError(`model ${model.name}: gives numbers that are not finite`);
    const chosen = classIndex ?? scores.indexOf(scores.reduce((a, b) => Math.max(a, b)));
    const heat = tf.tidy(() => {
      // A picked row rather than a picked column: one compiled program then serves every class.
      const wanted = tf.tensor2d(
        Float32Array.from({ length: classes }, (_, i) => Number(i === chosen)),
        [1, classes],
      );
      const logit = (x: tf.Tensor) => {
        const known: Known = new Map([
          [(model.inputs[0] as SymbolicTensor).id, image],
          [source.id, x],
        ]);
        return tf.sum(tf.mul(tail(known), wanted)) as tf.Scalar;
      };
      const weights = tf.mean(tf.grad(logit)(maps), [1, 2], true);
      return tf.relu(tf.sum(tf.mul(maps, weights), -1));
    });
    const raw = await heat.data<'float32'>();
    heat.dispose();
    const peak = raw.reduce((a, b) => Math.max(a, b), 0);
    const [, height, width] = maps.shape;
    const values = peak > 0 ? raw.map((value) => value / peak) : new Float32Array(raw.length);
    return { classIndex: chosen, layer: source.sourceLayer.name, width, height, values, peak };
  } finally {
    tf.dispose([maps, logits]);
  }
}

/** From what is known to the logits: the output, or what its softmax or sigmoid is given. */
function logitsOf(model: LayersModel): (known: Known) => tf.Tensor {
  const output = model.outputs[0] as SymbolicTensor;
  const last = output.sourceLayer;
  const [before] = inputsOf(output);
  const { activation } = last.getConfig() as { activation?: unknown };
  const kind = last.getClassName();
  const squashes = activation === 'softmax' || activation === 'sigmoid';
  if (before !== undefined && (kind === 'Softmax' || (kind === 'Activation' && squashes))) {
    return (known) => valueOf(before, known);
  }
  if (before?.shape.length === 2 && kind === 'Dense' && squashes) {
    return (known) => sumsOf(last, valueOf(before, known) as tf.Tensor2D);
  }
  return (known) => valueOf(output, known);
}

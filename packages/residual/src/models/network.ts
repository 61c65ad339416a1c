/** A classifier seen from before its softmax: losses want logits, and a LayersModel ends in probabilities.
 *  The layers stay the model's own; only the path through them ends earlier. */

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { ImageShape } from '../data/dataset.ts';
import { ModelError } from './errors.ts';
import { traced } from './traced.ts';

export interface Network {
  readonly inputShape: ImageShape;
  readonly classes: number;
  /** What `apply` gives. Probabilities only where the model's end hides its logits. */
  readonly gives: 'logits' | 'probabilities';
  /** The model's last function: what its outputs mean together, or one by one. */
  readonly ends: 'softmax' | 'sigmoid' | 'linear' | 'other';
  /** [n, height, width, channels] → [n, classes]; inside `tf.tidy`. */
  apply(images: tf.Tensor4D, training: boolean): tf.Tensor2D;
  /** The same at inference, batch after batch: the backend is told once what there is to do. */
  infer(images: tf.Tensor4D): tf.Tensor2D;
  /** What goes into that last function, or the output itself where it is hidden. */
  raw(images: tf.Tensor4D, training: boolean): tf.Tensor2D;
}

const networks = new WeakMap<tfl.LayersModel, Network>();

/**
 * The classifier in a model with one image input and one output [batch, classes].
 *
 * Logits are found where the model ends in a dense layer (with softmax or without) or in a softmax layer of its own.
 *
 * @throws ModelError for a model of another form
 */
export function networkOf(model: tfl.LayersModel): Network {
  let network = networks.get(model);
  if (!network) {
    network = makeNetwork(model);
    networks.set(model, network);
  }
  return network;
}

function makeNetwork(model: tfl.LayersModel): Network {
  const [input, ...otherInputs] = model.inputs;
  const [output, ...otherOutputs] = model.outputs;
  const sizes = input?.shape.slice(1) ?? [];
  const classes = output?.shape.at(-1);
  if (
    otherInputs.length > 0 ||
    otherOutputs.length > 0 ||
    sizes.length !== 3 ||
    output?.shape.length !== 2 ||
    !classes
  ) {
    const shapes = (tensors: readonly tfl.SymbolicTensor[]) => tensors.map(({ shape }) => `[${shape}]`).join(', ');
    throw new ModelError(
      `model ${model.name}: must have one input [batch, height, width, channels] and one output [batch, classes]; ` +
        `it has ${shapes(model.inputs)} and ${shapes(model.outputs)}`,
    );
  }
  if (sizes.some((size) => !size)) {
    throw new ModelError(`model ${model.name}: the size of its input must be known, it is [${sizes}]`);
  }
  const inputShape = sizes as unknown as ImageShape;
  const path = pathThrough(model, output.sourceLayer);
  const weights = () => model.weights.map((weight) => weight.read());
  return { inputShape, classes, ...path, infer: traced((images) => path.apply(images, false), weights) };
}

type Path = Pick<Network, 'gives' | 'ends' | 'apply' | 'raw'>;

function pathThrough(model: tfl.LayersModel, last: tfl.layers.Layer): Path {
  const kind = last.getClassName();
  const { activation } = last.getConfig() as { activation?: unknown };
  const whole = (images: tf.Tensor4D, training: boolean) => model.apply(images, { training }) as tf.Tensor2D;
  if (kind === 'Dense' && activation === 'linear') return { gives: 'logits', ends: 'linear', apply: whole, raw: whole };
  const isDense = kind === 'Dense' && (activation === 'softmax' || activation === 'sigmoid');
  const isActivation = kind === 'Activation' && (activation === 'softmax' || activation === 'sigmoid');
  // A layer used twice has no one input, and a dense layer over maps is no classifier's end.
  const single = last.inboundNodes.length === 1 ? (last.input as tfl.SymbolicTensor) : undefined;
  if ((!isDense && !isActivation && kind !== 'Softmax') || single?.shape.length !== 2) {
    return { gives: 'probabilities', ends: 'other', apply: whole, raw: whole };
  }
  const trunk = tfl.model({ inputs: model.inputs, outputs: single, name: `${model.name}.trunk` });
  const before = (images: tf.Tensor4D, training: boolean) => trunk.apply(images, { training }) as tf.Tensor2D;
  const product = (images: tf.Tensor4D, training: boolean) => sumsOf(last, before(images, training));
  const raw = isDense ? product : before;
  if (activation === 'sigmoid') return { gives: 'probabilities', ends: 'sigmoid', apply: whole, raw };
  return { gives: 'logits', ends: 'softmax', apply: raw, raw };
}

/** What a dense layer's activation is given: x · kernel + bias, [n, inputs] → [n, units]. */
export function sumsOf(dense: tfl.layers.Layer, x: tf.Tensor2D): tf.Tensor2D {
  const [kernel, bias] = dense.weights.map((weight) => weight.read());
  if (!kernel) throw new Error(`internal: ${dense.name} has no kernel`);
  const sums: tf.Tensor2D = tf.matMul(x, kernel as unknown as tf.Tensor2D);
  return bias ? tf.add<tf.Tensor2D>(sums, bias as unknown as tf.Tensor1D) : sums;
}

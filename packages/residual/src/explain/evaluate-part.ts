/** Runs a part of a model: from any tensors whose values are known to any other.
 *  TF.js makes models from inputs only, and a gradient with respect to a map begins in the middle. */

import type * as tf from '@tensorflow/tfjs-core';
import type { SymbolicTensor } from '@tensorflow/tfjs-layers';
import { inputsOf } from '../models/transfer/graph.ts';

/** Values by the symbolic tensor's id. */
export type Known = Map<number, tf.Tensor>;

/** What TF.js keeps out of its types: which of its layer's outputs a tensor is, and of which call. */
interface Traced {
  readonly nodeIndex: number;
  readonly tensorIndex: number;
}

/** The value of `tensor` in inference mode, inside `tf.tidy`; what is computed on the way joins `known`. */
export function valueOf(tensor: SymbolicTensor, known: Known): tf.Tensor {
  const there = known.get(tensor.id);
  if (there !== undefined) return there;
  const inputs = inputsOf(tensor);
  if (inputs.length === 0) throw new Error(`internal: nothing leads to ${tensor.name}`);
  const values = inputs.map((input) => valueOf(input, known));
  const { sourceLayer } = tensor;
  // `call` and not `apply`: the layer is built, and a hook that notes the call would outlive it.
  const outputs = sourceLayer.call(values.length === 1 ? (values[0] as tf.Tensor) : values, { training: false });
  const all = Array.isArray(outputs) ? outputs : [outputs];
  const node = sourceLayer.inboundNodes[(tensor as unknown as Traced).nodeIndex];
  node?.outputTensors.forEach((output, i) => {
    const value = all[i];
    if (value !== undefined) known.set(output.id, value);
  });
  const value = known.get(tensor.id);
  if (value === undefined) throw new Error(`internal: ${sourceLayer.name} did not give ${tensor.name}`);
  return value;
}

/** Where a classifier's head begins, and a new head in its place.
 *  The trunk's layers are shared, not copied: what one model learns, the other knows. */

import * as tfl from '@tensorflow/tfjs-layers';
import { ModelError } from '../errors.ts';
import { seedOf } from '../initializers.ts';
import { inputsOf } from './graph.ts';

type Layer = tfl.layers.Layer;

/** A model cut before its classifier. */
export interface Cut {
  /** [batch, n]: what the classifier's dense layer sees, before any dropout. */
  readonly features: tfl.SymbolicTensor;
  /** From the features to the output: dropouts, the dense layer, an activation. */
  readonly head: readonly Layer[];
  readonly dense: Layer;
}

/** Layers without weights that may stand behind the dense layer. */
const after: readonly string[] = ['Activation', 'Softmax', 'Dropout'];

/**
 * Cuts a model before its last dense layer and the dropout in front of it.
 *
 * @throws ModelError where the model does not end in a dense layer over features [batch, n]
 */
export function cutHead(model: tfl.LayersModel): Cut {
  const [output] = model.outputs;
  const head: Layer[] = [];
  let tensor = output as tfl.SymbolicTensor;
  const step = () => {
    head.unshift(tensor.sourceLayer);
    tensor = inputsOf(tensor)[0] as tfl.SymbolicTensor;
  };
  const kind = () => tensor?.sourceLayer.getClassName();
  while (after.includes(kind())) step();
  const dense = tensor?.sourceLayer;
  if (model.outputs.length !== 1 || kind() !== 'Dense' || inputsOf(tensor)[0]?.shape.length !== 2) {
    throw new ModelError(
      `model ${model.name}: must end in a dense layer over features [batch, n] to have a head, it ends in ${kind()} ${output?.name}`,
    );
  }
  step();
  while (kind() === 'Dropout') step();
  return { features: tensor, head, dense };
}

export interface ReplaceHeadOptions {
  /** Number of outputs. */
  readonly classes: number;
  /** Of the new weights: the same seed gives the same weights, bit for bit. Default 0. */
  readonly seed?: number;
  /** Default: what the old head ends in; `softmax` where that is neither. */
  readonly activation?: 'softmax' | 'linear' | 'sigmoid';
  /**
   * Part of the features that is set to 0 at random in each step. Default 0. TF.js draws it anew in every process: a run
   * with dropout is not the same bits twice.
   */
  readonly dropout?: number;
}

/**
 * A new model: the trunk of `model` and a new dense layer, which has the old one's name and starts as the old one did
 * (the same initialisers with another seed, so by the model's own convention).
 *
 * Trunk layers are shared with `model`, frozen ones stay frozen, and each of the two models may be disposed of on its
 * own. What the guide of Keras does by hand works as well: `tf.layers.dense({ units }).apply(base.layers.at(-2).output)`.
 *
 * @throws ModelError for impossible options, or a model that does not end in a dense layer
 * @example const model = replaceHead(base, { classes: 5 }); freeze(model, 'backbone');
 */
export function replaceHead(model: tfl.LayersModel, options: ReplaceHeadOptions): tfl.LayersModel {
  const { features, dense, head } = cutHead(model);
  const { classes, seed = 0, activation = activationOf(head, dense), dropout = 0 } = options;
  const check = (ok: boolean, rule: string, value: unknown) => {
    if (!ok) throw new ModelError(`replaceHead: ${rule}, received ${JSON.stringify(value)}`);
  };
  check(Number.isInteger(classes) && classes > 0, 'classes must be a whole number from 1 up', classes);
  check(Number.isSafeInteger(seed) && seed >= 0, 'seed must be an integer from 0 to 2^53 - 1', seed);
  check(dropout >= 0 && dropout < 1, 'dropout must be at least 0 and less than 1', dropout);
  const activations = ['softmax', 'linear', 'sigmoid'];
  check(activations.includes(activation), `activation must be one of ${activations.join(', ')}`, activation);
  const { batchInputShape: _, inputDim: __, ...config } = dense.getConfig() as Record<string, unknown>;
  const { name } = dense;
  const fresh = tfl.layers.dense({
    ...config,
    name,
    units: classes,
    activation,
    trainable: true,
    kernelInitializer: reseeded(config.kernelInitializer, seedOf(seed, `${name}/kernel`)),
    biasInitializer: reseeded(config.biasInitializer, seedOf(seed, `${name}/bias`)),
  });
  const before =
    dropout === 0
      ? features
      : (tfl.layers.dropout({ rate: dropout, name: `${name}.dropout` }).apply(features) as tfl.SymbolicTensor);
  const outputs = fresh.apply(before) as tfl.SymbolicTensor;
  const replaced = tfl.model({ inputs: model.inputs, outputs, name: model.name });
  share(replaced.layers.filter((layer) => model.layers.includes(layer)));
  return replaced;
}

/**
 * The model up to what its classifier sees: [batch, height, width, channels] → [batch, n], for ResNet18 n = 512. Its
 * layers are the model's own, and each of the two may be disposed of on its own.
 *
 * @throws ModelError for a model that does not end in a dense layer
 * @example const vectors = features(model).predict(pictures) as tf.Tensor2D;
 */
export function features(model: tfl.LayersModel): tfl.LayersModel {
  const outputs = cutHead(model).features;
  const trunk = tfl.model({ inputs: model.inputs, outputs, name: `${model.name}.features` });
  share(trunk.layers);
  return trunk;
}

/** A layer frees its weights when the last model that counts itself as its user is disposed of. */
function share(layers: readonly Layer[]): void {
  for (const layer of layers) (layer as unknown as { _refCount: number })._refCount++;
}

function activationOf(head: readonly Layer[], dense: Layer): 'softmax' | 'linear' | 'sigmoid' {
  const last = head.at(-1) ?? dense;
  if (last.getClassName() === 'Softmax') return 'softmax';
  const { activation } = last.getConfig() as { activation?: unknown };
  return activation === 'linear' || activation === 'sigmoid' ? activation : 'softmax';
}

type Initializer = ReturnType<typeof tfl.initializers.zeros>;

/** An initialiser as `getConfig` gives it, with another seed where it has one. */
function reseeded(serialized: unknown, seed: number): Initializer {
  const { className, config } = serialized as { className: string; config: Record<string, unknown> };
  // Also takes the serialised form, which its type does not say.
  return { className, config: 'seed' in config ? { ...config, seed } : config } as unknown as Initializer;
}

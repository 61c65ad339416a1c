/** A model's configuration as Keras 2 and Keras 3 write it, made into what tfjs-layers 4.22 understands (Keras 2.2's).
 *  What TF.js has not, or would silently compute otherwise, is refused by name. */

import * as tf from '@tensorflow/tfjs-core';
import { WeightsError } from '../errors.ts';
import { show } from '../reader.ts';
import { field } from './class-names.ts';
import { checkGraph, inboundNodes, inTfjsCount, isModelClass, tensorRefs } from './model-graph.ts';

export type Json = Readonly<Record<string, unknown>>;

/** A configuration for `tf.models.modelFromJSON`. */
export interface TfjsConfig {
  readonly class_name: string;
  readonly config: Record<string, unknown>;
}

const DEEPEST = 8;

/** Written by Keras for itself: of no meaning to a layer of TF.js. */
const DROPPED = new Set([
  'build_config',
  'compile_config',
  'module',
  'optional',
  'quantization_config',
  'ragged',
  'registered_name',
  'renorm_clipping',
  'renorm_momentum',
  'shared_object_id',
  'synchronized',
]);

/** Options that TF.js does not have, with the one value at which it computes the same. */
const ONLY: Readonly<Record<string, readonly unknown[]>> = {
  groups: [1],
  keepdims: [false],
  negative_slope: [0],
  renorm: [false],
  threshold: [0],
};

/** Other names of the same initialisers. */
const INITIALIZERS: Readonly<Record<string, string>> = {
  OrthogonalInitializer: 'Orthogonal',
  IdentityInitializer: 'Identity',
  LecunNormal: 'LeCunNormal',
  LecunUniform: 'LeCunUniform',
};

/**
 * Converts the configuration of a functional or sequential model, models within it included.
 *
 * @param who The file, for messages.
 * @throws WeightsError for classes and options that TF.js does not have, and for graphs that are none
 */
export function tfjsConfig(model: unknown, who: string, depth = 0): TfjsConfig {
  const className = field(model, 'class_name');
  const config = field(model, 'config');
  if (depth > DEEPEST) throw new WeightsError(`${who}: has models within models, more than ${DEEPEST} deep`);
  if (className === 'Sequential') {
    const layers = Array.isArray(config) ? config : field(config, 'layers');
    const name = field(config, 'name');
    return {
      class_name: 'Sequential',
      config: {
        ...(name !== undefined && { name }),
        layers: list(layers, who).map((layer) => layerOf(layer, who, depth)),
      },
    };
  }
  if (className !== 'Functional' && className !== 'Model') {
    const known = 'a model must be Functional or Sequential';
    throw new WeightsError(`${who}: ${known}, is ${show(String(className))}: build it in code and load weights alone`);
  }
  const described = list(field(config, 'layers'), who);
  const wired = described.map((layer) => ({
    ...layerOf(layer, who, depth),
    name: nameOf(layer, who),
    nodes: inboundNodes(field(layer, 'inbound_nodes'), `${who}: layer ${show(nameOf(layer, who))}`),
  }));
  const isKeras3 = described.some((layer) => field(field(field(layer, 'inbound_nodes'), '0'), 'args') !== undefined);
  const inner = wired.filter((layer) => isKeras3 && isModelClass(layer.class_name)).map(({ name }) => name);
  const counted = inTfjsCount(new Set(inner));
  const layers = wired.map(({ nodes, ...layer }) => ({
    ...layer,
    inbound_nodes: nodes.map((node) => node.map(counted)),
  }));
  const ends = {
    input_layers: tensorRefs(field(config, 'input_layers'), who),
    output_layers: tensorRefs(field(config, 'output_layers'), who).map(counted),
  };
  checkGraph(layers, [...ends.input_layers, ...ends.output_layers], who);
  return { class_name: 'Model', config: { name: field(config, 'name') ?? 'model', layers, ...ends } };
}

function layerOf(layer: unknown, who: string, depth: number): TfjsConfig {
  const className = field(layer, 'class_name');
  if (typeof className !== 'string') throw new WeightsError(`${who}: a layer of its model has no class_name`);
  if (isModelClass(className)) return tfjsConfig(layer, who, depth + 1);
  const name = nameOf(layer, who);
  if (!Object.hasOwn(tf.serialization.SerializationMap.getMap().classNameMap, className)) {
    const layerClass = String(field(layer, 'registered_name') ?? className);
    throw new WeightsError(`${who}: layer ${show(name)} is of class ${show(layerClass)}, which TensorFlow.js has not`);
  }
  const config: Record<string, unknown> = { name };
  for (const [key, value] of Object.entries(field(layer, 'config') as object)) {
    if (DROPPED.has(key)) continue;
    // Keras 2 writes what the layer inherits; its kernels have names of their own.
    if (className === 'SeparableConv2D' && /^kernel_(?:init|reg|con)/.test(key)) continue;
    // LeakyReLU's slope has another name in TF.js; elsewhere it must be none.
    const [option, allowed] = className === 'LeakyReLU' && key === 'negative_slope' ? ['alpha'] : [key, ONLY[key]];
    if (Object.hasOwn(ONLY, key) && allowed) {
      if (value !== null && !allowed.includes(value)) {
        const text = `${key} must be ${allowed[0]} in TensorFlow.js, is ${JSON.stringify(value)}`;
        throw new WeightsError(`${who}: layer ${show(name)}: ${text}`);
      }
      continue;
    }
    config[option === 'batch_shape' ? 'batch_input_shape' : option] = valueOf(option, value, name, who);
  }
  return { class_name: className, config };
}

/** The value of one option. */
function valueOf(key: string, value: unknown, layer: string, who: string): unknown {
  if (key === 'dtype') return dtypeOf(value);
  if (key === 'layer') return layerOf(value, who, 1);
  // Keras 2 writes the axis of a BatchNormalization as a list of one.
  if (key === 'axis' && Array.isArray(value) && value.length === 1) return value[0];
  const className = field(value, 'class_name');
  if (typeof className !== 'string') return value;
  const config = (field(value, 'config') ?? {}) as Json | string;
  // A function: {class_name: 'function', config: 'relu'}.
  if (typeof config === 'string') return config;
  const plain = Object.fromEntries(Object.entries(config).filter(([name]) => !DROPPED.has(name)));
  if (key.endsWith('_initializer')) {
    const known = INITIALIZERS[className] ?? className;
    const there = Object.hasOwn(tf.serialization.SerializationMap.getMap().classNameMap, known);
    // It serves no more: the values are in the file.
    return there ? { class_name: known, config: plain } : { class_name: 'Zeros', config: {} };
  }
  if (key.endsWith('_regularizer') && (className === 'L1' || className === 'L2')) {
    return { class_name: 'L1L2', config: { l1: 0, l2: 0, ...plain } };
  }
  if (key === 'activation') {
    const text = `has the activation ${show(className)}, which TensorFlow.js has not as a function`;
    throw new WeightsError(`${who}: layer ${show(layer)} ${text}`);
  }
  return { class_name: className, config: plain };
}

/** TF.js computes in float32, whatever the policy (`mixed_float16` …) was: its weights are float32 too. */
function dtypeOf(value: unknown): string {
  const name = typeof value === 'string' ? value : field(field(value, 'config'), 'name');
  return typeof name === 'string' && /^(?:int|uint|bool)/.test(name) ? (name === 'bool' ? 'bool' : 'int32') : 'float32';
}

function nameOf(layer: unknown, who: string): string {
  const name = field(layer, 'name') ?? field(field(layer, 'config'), 'name');
  if (typeof name !== 'string' || name === '') throw new WeightsError(`${who}: a layer of its model has no name`);
  return name;
}

function list(value: unknown, who: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new WeightsError(`${who}: its model has no list of layers`);
  for (const layer of value) {
    const config = field(layer, 'config');
    if (typeof config !== 'object' || config === null) {
      throw new WeightsError(`${who}: a layer of its model has no config`);
    }
  }
  return value;
}

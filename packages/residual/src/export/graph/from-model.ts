/** A LayersModel becomes an inference graph: the layers between its input and its output, then the passes.
 *  Class names and preprocessing come along, so that no exporter can leave them behind. */

import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import * as tfl from '@tensorflow/tfjs-layers';
import { ModelError } from '../../models/errors.ts';
import type { ModelInfo } from '../../models/info.ts';
import { checkGraph } from './check.ts';
import type { Constant, GraphInput, InferenceGraph, Shape } from './graph.ts';
import { type DraftNode, type LayerCall, type Norm, readLayer, type Value } from './layers.ts';
import { simplify } from './passes.ts';

export interface GraphOptions {
  /**
   * The softmax at the end: as the model has it (`keep`), left out, so that the graph gives logits (`drop`), or there in
   * any case (`add`). A sigmoid at the end is kept and left out alike. Default `keep`.
   */
  readonly softmax?: 'keep' | 'drop' | 'add';
  /**
   * What goes in: numbers that the caller normalised, or bytes 0–255, whose normalisation is then part of the graph: of
   * its first convolution where that pads nothing, of an affine node before it elsewhere. Default `normalised`.
   */
  readonly input?: 'normalised' | 'bytes';
}

/** The names of what goes in and what comes out, as torchvision's exports have them. */
const INPUT = 'input';
const OUTPUT = 'output';

/**
 * What a trained classifier computes at inference. BN is folded into the convolution before it, in double precision;
 * ReLUs and padding are fused; dropout and the like are gone.
 *
 * @throws ModelError for a layer that has no place in the graph, naming it, its class and the classes that have, and
 *   for a model whose outputs are not as many as `info` has classes
 * @example const graph = await inferenceGraph(model, info, { softmax: 'drop' })
 */
export async function inferenceGraph(
  model: LayersModel,
  info: Pick<ModelInfo, 'architecture' | 'classes' | 'preprocessing'>,
  options: GraphOptions = {},
): Promise<InferenceGraph> {
  const { nodes: draft, ...ended } = await draftGraph(model, info, options);
  const nodes = simplify(draft, ended.output);
  const graph: InferenceGraph = {
    name: info.architecture,
    input: ended.input,
    nodes: nodes.map((node) => (node.output === ended.output ? { ...node, output: OUTPUT } : node)),
    output: OUTPUT,
    gives: ended.gives,
    classes: info.classes,
    preprocessing: info.preprocessing,
  };
  checkGraph(graph);
  return graph;
}

/** A model as its layers say it, before any pass. */
export interface DraftGraph {
  readonly nodes: readonly DraftNode[];
  readonly input: GraphInput;
  /** The name of the value that the graph gives. */
  readonly output: string;
  readonly gives: InferenceGraph['gives'];
  /** The layer behind each node that is named after one. */
  readonly layers: ReadonlyMap<string, tfl.layers.Layer>;
}

/** What `inferenceGraph` simplifies; its options and errors. */
export async function draftGraph(
  model: LayersModel,
  info: Pick<ModelInfo, 'architecture' | 'classes' | 'preprocessing'>,
  options: GraphOptions = {},
): Promise<DraftGraph> {
  const { softmax = 'keep', input = 'normalised' } = options;
  const { classes, preprocessing } = info;
  const weights = await weightsOf(model);
  const [entry, ...otherInputs] = model.inputs;
  const [exit, ...otherOutputs] = model.outputs;
  if (!entry || !exit || otherInputs.length > 0 || otherOutputs.length > 0) {
    throw new ModelError(
      `model ${model.name}: must have one input and one output, has ${model.inputs.length} and ${model.outputs.length}`,
    );
  }
  const start: Value = { name: INPUT, shape: inputShapeOf(model, entry, preprocessing.inputShape) };
  const walk = new Walk(weights);
  const first = input === 'bytes' ? walk.normalise(start, preprocessing) : start;
  const result = walk.valueOf(exit, new Map([[entry.id, first]]));
  if (result.shape.length !== 1 || result.shape[0] !== classes.length) {
    throw new ModelError(
      `model ${model.name}: must give one number for each of ${classes.length} classes, gives [${result.shape}]`,
    );
  }
  const from = { name: INPUT, shape: start.shape, range: input };
  return { ...endOf(walk.nodes, result, softmax), input: from, layers: walk.layers };
}

/** By their layer's name. */
type Weights = ReadonlyMap<string, readonly Constant[]>;

/** Reads all weights first: a page's backend may not read at once. */
async function weightsOf(model: LayersModel): Promise<Weights> {
  const weights = new Map<string, Constant[]>();
  for (const layer of allLayers(model)) {
    const constants: Constant[] = [];
    for (const tensor of layer.getWeights()) {
      constants.push({ shape: tensor.shape, values: Float32Array.from(await tensor.data()) });
    }
    weights.set(layer.name, constants);
  }
  return weights;
}

function allLayers(model: LayersModel): tfl.layers.Layer[] {
  return model.layers.flatMap((layer) => (layer instanceof tfl.LayersModel ? allLayers(layer) : [layer]));
}

/** Follows the model from its output back to its input, and notes each layer down once its inputs are there. */
class Walk {
  readonly nodes: DraftNode[] = [];
  readonly layers = new Map<string, tfl.layers.Layer>();
  private readonly weights: Weights;
  private readonly names = new Set([INPUT, OUTPUT]);

  constructor(weights: Weights) {
    this.weights = weights;
  }

  /** From bytes to what the network was trained on. */
  normalise(from: Value, { mean, std }: ModelInfo['preprocessing']): Value {
    const name = this.unique('normalization');
    const scale = Float64Array.from(std, (value) => 1 / (255 * value));
    const offset = Float64Array.from(mean, (value, c) => -value / std[c]);
    const norm: Norm = { op: 'norm', name, inputs: [from.name], output: name, shape: from.shape, scale, offset };
    this.nodes.push(norm);
    return { name, shape: from.shape };
  }

  /** @param known values by the id of their tensor; those found are added */
  valueOf(tensor: SymbolicTensor, known: Map<number, Value>): Value {
    const found = known.get(tensor.id);
    if (found) return found;
    const { sourceLayer: layer, nodeIndex, tensorIndex } = tensor;
    const call = layer.inboundNodes[nodeIndex];
    if (!call) throw new Error(`internal: ${layer.name} was not called`);
    const inputs = call.inputTensors.map((input) => this.valueOf(input, known));
    let value: Value;
    if (layer instanceof tfl.LayersModel) {
      // Its own tensors have other ids in each use.
      const inner = new Map(layer.inputs.map(({ id }, i) => [id, inputs[i] as Value]));
      const output = layer.outputs[tensorIndex ?? 0];
      if (!output) throw new Error(`internal: ${layer.name} has no output ${tensorIndex}`);
      value = this.valueOf(output, inner);
    } else {
      value = this.apply(layer, inputs);
    }
    known.set(tensor.id, value);
    return value;
  }

  private apply(layer: tfl.layers.Layer, inputs: readonly Value[]): Value {
    const name = this.unique(layer.name);
    this.layers.set(name, layer);
    const nodes = readLayer({
      name,
      kind: layer.getClassName(),
      config: layer.getConfig() as LayerCall['config'],
      weights: this.weights.get(layer.name) ?? [],
      inputs,
    });
    this.nodes.push(...nodes);
    const last = nodes.at(-1);
    const value = last ? { name: last.output, shape: last.shape } : inputs[0];
    if (!value) throw new Error(`internal: ${layer.name} has no input`);
    return value;
  }

  private unique(name: string): string {
    let free = name;
    for (let i = 2; this.names.has(free); i++) free = `${name}_${i}`;
    this.names.add(free);
    return free;
  }
}

function inputShapeOf(model: LayersModel, entry: SymbolicTensor, asTrained: Shape): Shape {
  const shape = entry.shape.slice(1).map((size, i) => size ?? asTrained[i] ?? 0);
  if (entry.shape.length !== 4 || shape.join() !== asTrained.join()) {
    throw new ModelError(
      `model ${model.name}: its input is [${entry.shape.slice(1)}], its preprocessing gives [${asTrained}]`,
    );
  }
  return shape;
}

function endOf(nodes: readonly DraftNode[], result: Value, softmax: 'keep' | 'drop' | 'add') {
  const last = nodes.find(({ output }) => output === result.name);
  const [before] = last?.inputs ?? [];
  const isEnd = last?.op === 'softmax' || last?.op === 'sigmoid';
  if (isEnd && softmax === 'drop' && before !== undefined) return { nodes, output: before, gives: 'logits' } as const;
  if (isEnd) return { nodes, output: result.name, gives: 'probabilities' } as const;
  if (softmax !== 'add') return { nodes, output: result.name, gives: 'logits' } as const;
  const end = {
    op: 'softmax',
    name: 'softmax',
    inputs: [result.name],
    output: 'softmax',
    shape: result.shape,
  } as const;
  return { nodes: [...nodes, end], output: end.output, gives: 'probabilities' } as const;
}

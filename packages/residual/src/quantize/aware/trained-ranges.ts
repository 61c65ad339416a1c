/** What quantization-aware training leaves beside the weights: the range of every value, kept in the model's own file.
 *  An int8 export takes it instead of calibrating, as long as the weights are those that were trained with it. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { InferenceGraph } from '../../export/graph/graph.ts';
import { ModelError } from '../../models/errors.ts';
import { type AssignOptions, assignQuantization } from '../assign.ts';
import type { Quantization, ValueRange } from '../parameters.ts';
import type { AwareSettings } from './options.ts';

/** The key of TF.js's `userDefinedMetadata` in `model.json`. */
const KEY = 'residualQuantization';
const FORMAT = 'residual-quantization/1';

export interface TrainedRanges extends Omit<AwareSettings, 'rangeDecay'> {
  /** By the name of the node that makes the value; the graph's input under its own. */
  readonly ranges: Readonly<Record<string, ValueRange>>;
}

interface Stored extends TrainedRanges {
  readonly format: typeof FORMAT;
  /** Of the weights that belong to it. */
  readonly checksum: string;
}

/** A model whose metadata can be set back; TF.js keeps the field private. */
interface WithMetadata {
  userDefinedMetadata?: object | undefined;
}

/** Does something, such as saving, while the model says its ranges. */
export async function withRanges<T>(model: LayersModel, ranges: TrainedRanges, work: () => Promise<T>): Promise<T> {
  const own = model as unknown as WithMetadata;
  const before = own.userDefinedMetadata;
  const stored: Stored = { format: FORMAT, ...ranges, checksum: await checksumOf(model) };
  model.setUserDefinedMetadata({ ...before, [KEY]: stored });
  try {
    return await work();
  } finally {
    own.userDefinedMetadata = before;
  }
}

/**
 * The ranges that a model was trained with; undefined where there are none, or its weights were changed since.
 *
 * @throws ModelError for ranges of another version
 */
export async function trainedRangesOf(model: LayersModel): Promise<TrainedRanges | undefined> {
  const metadata = model.getUserDefinedMetadata() as Record<string, Partial<Stored>> | undefined;
  const stored = metadata?.[KEY];
  if (!stored) return undefined;
  if (stored.format !== FORMAT) {
    throw new ModelError(`model ${model.name}: its quantization must be of format ${FORMAT}, is ${stored.format}`);
  }
  return stored.checksum === (await checksumOf(model)) ? (stored as Stored) : undefined;
}

/**
 * Scales and zero points from the training; undefined where `trainedRangesOf` is.
 *
 * @param graph of that model, with whatever softmax and input
 * @throws ModelError where a value of the graph was not trained
 */
export async function trainedQuantization(
  model: LayersModel,
  graph: InferenceGraph,
  options: Pick<AssignOptions, 'scheme' | 'keepFloat'> = {},
): Promise<Quantization | undefined> {
  const trained = await trainedRangesOf(model);
  return trained && quantizationFrom(trained, graph, options);
}

/** As `trainedQuantization`, from the ranges themselves. Values get 8 bits within their trained range. */
export function quantizationFrom(
  { ranges, weightBits, granularity, scheme, keepFloat }: TrainedRanges,
  graph: InferenceGraph,
  options: Pick<AssignOptions, 'scheme' | 'keepFloat'> = {},
): Quantization {
  const float = new Set([...keepFloat, ...(options.keepFloat ?? [])]);
  return assignQuantization(graph, rangesFor(ranges, graph), {
    granularity,
    bits: weightBits,
    scheme: options.scheme ?? scheme,
    keepFloat: graph.nodes.flatMap(({ name }) => (float.has(name) ? [name] : [])),
  });
}

function rangesFor(ranges: TrainedRanges['ranges'], graph: InferenceGraph): Map<string, ValueRange> {
  const { input, nodes, name: architecture } = graph;
  const found = new Map<string, ValueRange>();
  const trainedInput = ranges[input.name];
  if (trainedInput) found.set(input.name, input.range === 'bytes' ? { min: 0, max: 255 } : trainedInput);
  for (const { name, op, inputs, output } of nodes) {
    const unit = op === 'softmax' || op === 'sigmoid';
    // What bytes become before the first layer is what the training saw as the input.
    const normalises = op === 'affine' && inputs[0] === input.name && input.range === 'bytes';
    const range = ranges[name] ?? (unit ? { min: 0, max: 1 } : normalises ? trainedInput : undefined);
    if (!range) throw new ModelError(`quantization of ${architecture}: ${name} was not trained with it`);
    found.set(output, range);
  }
  return found;
}

/** FNV-1a over the weights' bits, in any order of the layers' freezing. */
async function checksumOf(model: LayersModel): Promise<string> {
  let hash = 0x811c9dc5;
  for (const layer of model.layers) {
    for (const tensor of layer.getWeights()) {
      const values = Float32Array.from(await tensor.data());
      for (const word of new Uint32Array(values.buffer)) hash = Math.imul(hash ^ word, 0x01000193);
    }
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

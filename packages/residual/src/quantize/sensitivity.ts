/** Where accuracy goes: what the network loses when one layer alone computes in integers, layer by layer, and which layers
 *  to spare so that the rest is good enough. All of it in the simulator: no file is written for it. */

import type { GraphNode, InferenceGraph, Op } from '../export/graph/graph.ts';
import { openGraph, type RunningGraph } from '../export/graph/index.ts';
import { ModelError } from '../models/errors.ts';
import type { Quantization } from './parameters.ts';
import type { QuantizedGraph } from './post-training.ts';
import { Likeness } from './signal.ts';
import { openSimulated } from './simulate.ts';

/** Images as the graph's input wants them, with their classes where those are known. */
export interface LabelledImages {
  readonly images: Float32Array;
  readonly labels?: Int32Array | undefined;
}

/** What a partly quantized network does, beside the one in floats. */
export interface Outcome {
  /** Of the logits, in decibels: above 40 hardly anything changes, below 10 little is left. */
  readonly sqnr: number;
  /** The part of the images whose class is that of the network in floats. */
  readonly same: number;
  /** Fractions; missing where the images have no classes. */
  readonly accuracy?: number;
  readonly floatAccuracy?: number;
}

export interface LayerSensitivity extends Outcome {
  readonly layer: string;
  readonly op: Op;
}

export interface SensitivityOptions {
  /** `alone`: only the layer is in integers. `all-but`: all but it are, so that a high value says who spoils the rest. */
  readonly mode?: 'alone' | 'all-but';
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * What each layer costs, in the order of the graph. Layers that only move numbers (pooling, padding) cost nothing and are
 * left out, and so are those that are in floats already.
 *
 * @param batches some hundred images in all; each is run once for every layer
 * @throws ModelError where there is no image
 * @example const [worst] = (await sensitivityOf(quantized, batches)).sort((a, b) => a.sqnr - b.sqnr)
 */
export async function sensitivityOf(
  { graph, quantization }: QuantizedGraph,
  batches: readonly LabelledImages[],
  { mode = 'alone', signal, onProgress }: SensitivityOptions = {},
): Promise<LayerSensitivity[]> {
  const layers = layersOf(graph, quantization);
  const expected = await floatAnswers(graph, batches);
  const rows: LayerSensitivity[] = [];
  for (const [i, { name, op }] of layers.entries()) {
    onProgress?.(i, layers.length);
    const others = graph.nodes.map((node) => node.name).filter((one) => one !== name);
    const spared = mode === 'alone' ? others : [name];
    const simulated = openSimulated(graph, withFloat(graph, quantization, spared));
    const outcome = await outcomeOf(simulated, batches, expected, signal);
    rows.push({ layer: name, op, ...outcome });
  }
  onProgress?.(layers.length, layers.length);
  return rows;
}

export interface Mending {
  /** Layers that stay in floats, the most harmful first. */
  readonly keepFloat: readonly string[];
  /** What the rest does in integers then. */
  readonly outcome: Outcome;
}

/**
 * The fewest of the most harmful layers that must stay in floats for the rest to pass.
 *
 * @param rows of `sensitivityOf`
 * @param passes whether an outcome is good enough
 * @param most how many layers may be spared. Default a third of them: beyond that int8 is the wrong choice.
 * @returns undefined where sparing `most` layers does not mend it
 */
export async function mend(
  { graph, quantization }: QuantizedGraph,
  batches: readonly LabelledImages[],
  rows: readonly LayerSensitivity[],
  passes: (outcome: Outcome) => boolean,
  { most = Math.ceil(rows.length / 3), signal, onProgress }: SensitivityOptions & { readonly most?: number } = {},
): Promise<Mending | undefined> {
  const worst = [...rows].sort((a, b) => a.sqnr - b.sqnr).map(({ layer }) => layer);
  const expected = await floatAnswers(graph, batches);
  for (let spared = 1; spared <= Math.min(most, worst.length); spared++) {
    onProgress?.(spared - 1, most);
    const keepFloat = worst.slice(0, spared);
    const simulated = openSimulated(graph, withFloat(graph, quantization, keepFloat));
    const outcome = await outcomeOf(simulated, batches, expected, signal);
    if (passes(outcome)) return { keepFloat, outcome };
  }
  return undefined;
}

/** The same scales with more layers in floats. */
function withFloat(graph: InferenceGraph, quantization: Quantization, names: readonly string[]): Quantization {
  const float = new Set([...quantization.float, ...names]);
  const kept = <T>(of: Readonly<Record<string, T>>) =>
    Object.fromEntries(Object.entries(of).filter(([name]) => !float.has(name)));
  for (const name of names) {
    if (!graph.nodes.some((node) => node.name === name)) throw new Error(`internal: no layer ${name}`);
  }
  return { ...quantization, weights: kept(quantization.weights), biases: kept(quantization.biases), float };
}

/** Those whose rounding can be told apart: they compute, and what they give is not fixed by the specification. */
function layersOf({ nodes, output }: InferenceGraph, { float }: Quantization): GraphNode[] {
  return nodes.filter(({ name, op, output: value }) => {
    if (float.has(name)) return false;
    if (op === 'softmax' || op === 'sigmoid') return value !== output;
    return op !== 'maxPool' && op !== 'pad' && op !== 'reshape' && op !== 'concat';
  });
}

/** The logits where the graph has them: probabilities near 0 and 1 hide what happens to them. */
function answerOf({ nodes, output }: InferenceGraph): string {
  const last = nodes.find((node) => node.output === output);
  return (last?.op === 'softmax' ? last.inputs[0] : undefined) ?? output;
}

async function floatAnswers(graph: InferenceGraph, batches: readonly LabelledImages[]): Promise<Float32Array[]> {
  if (batches.length === 0) throw new ModelError('sensitivity needs at least one image');
  return answersOf(openGraph(graph), batches);
}

async function answersOf(
  running: RunningGraph,
  batches: readonly LabelledImages[],
  signal?: AbortSignal,
): Promise<Float32Array[]> {
  const answer = answerOf(running.graph);
  const answers: Float32Array[] = [];
  try {
    for (const { images } of batches) {
      signal?.throwIfAborted();
      answers.push((await running.run(images, [answer])).get(answer) ?? new Float32Array());
    }
  } finally {
    running.dispose();
  }
  return answers;
}

async function outcomeOf(
  running: RunningGraph,
  batches: readonly LabelledImages[],
  expected: readonly Float32Array[],
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  const classes = running.graph.classes.length;
  const likeness = new Likeness();
  let [images, same, labelled, hits, floatHits] = [0, 0, 0, 0, 0];
  for (const [i, given] of (await answersOf(running, batches, signal)).entries()) {
    likeness.add(expected[i], given);
    const { labels } = batches[i];
    for (let row = 0; row * classes < given.length; row++) {
      const [mine, theirs] = [largest(given, row, classes), largest(expected[i], row, classes)];
      images++;
      if (mine === theirs) same++;
      if (!labels) continue;
      labelled++;
      if (mine === labels[row]) hits++;
      if (theirs === labels[row]) floatHits++;
    }
  }
  return {
    sqnr: likeness.sqnr,
    same: same / images,
    ...(labelled > 0 && { accuracy: hits / labelled, floatAccuracy: floatHits / labelled }),
  };
}

function largest(outputs: Float32Array, row: number, classes: number): number {
  let best = 0;
  for (let k = 1; k < classes; k++) {
    if (outputs[row * classes + k] > outputs[row * classes + best]) best = k;
  }
  return best;
}

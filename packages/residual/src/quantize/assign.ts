/** Ranges of values → a {@link Quantization}: which values must share their scale, and integers for all weights.
 *  The rules of the specification that bind one operation's scales to another's are all here. */

import type { GraphNode, InferenceGraph } from '../export/graph/graph.ts';
import { ModelError } from '../models/errors.ts';
import {
  type ActivationOptions,
  type AffineParameters,
  BYTE_PARAMETERS,
  parametersOf,
  type Quantization,
  type QuantizedWeights,
  UNIT_PARAMETERS,
  type ValueRange,
} from './parameters.ts';
import { type Granularity, quantizeBias, quantizeWeights, smallestScales } from './weights.ts';

export interface AssignOptions extends ActivationOptions {
  readonly granularity?: Granularity;
  readonly bits?: number;
  /** Names of nodes that stay in floats. */
  readonly keepFloat?: Iterable<string>;
}

/**
 * Chooses scales and zero points for a graph.
 *
 * @param ranges of every value by its name, the graph's input and output included
 * @throws ModelError where a value has no range, or `keepFloat` names no node
 */
export function assignQuantization(
  graph: InferenceGraph,
  ranges: ReadonlyMap<string, ValueRange>,
  options: AssignOptions = {},
): Quantization {
  const float = new Set(options.keepFloat);
  checkKeepFloat(graph, float);
  const values = valueParameters(graph, ranges, float, options);
  const weights: Record<string, QuantizedWeights> = {};
  const biases: Record<string, Int32Array> = {};
  for (const node of graph.nodes) {
    const trained = float.has(node.name) ? undefined : trainedOf(node);
    if (!trained) continue;
    const { scale } = values[node.inputs[0]];
    const { granularity, bits } = options;
    weights[node.name] = quantizeWeights(trained.weights, trained.bias.length, {
      ...(granularity && { granularity }),
      ...(bits && { bits }),
      atLeast: smallestScales(trained.bias, scale),
    });
    biases[node.name] = quantizeBias(trained.bias, scale, weights[node.name].scales);
  }
  return { values, weights, biases, float };
}

/** @throws ModelError where a name is not that of a node of the graph */
export function checkKeepFloat(graph: InferenceGraph, names: Iterable<string>): void {
  for (const name of names) {
    if (!graph.nodes.some((node) => node.name === name)) {
      throw new ModelError(`keepFloat: ${graph.name} has no layer ${name}; layers: ${namesOf(graph)}`);
    }
  }
}

/** The numbers of a node that become 8-bit integers, and the bias that is added to their sums. */
export function trainedOf(
  node: GraphNode,
): { readonly weights: Float32Array; readonly bias: Float32Array } | undefined {
  switch (node.op) {
    case 'conv2d':
    case 'depthwiseConv2d':
      return { weights: node.filter.values, bias: node.bias.values };
    case 'dense':
      return { weights: node.weights.values, bias: node.bias.values };
    case 'affine':
      return { weights: node.scale.values, bias: node.offset.values };
    default:
      return undefined;
  }
}

/** Operations that move integers about without computing: what goes in and what comes out has one scale. */
export function movesOnly({ op }: GraphNode): boolean {
  return op === 'maxPool' || op === 'averagePool' || op === 'pad' || op === 'reshape' || op === 'concat';
}

/** Which values must share one scale, by a name that they then have in common. */
export function scaleGroups(graph: InferenceGraph, float: ReadonlySet<string>): { of(value: string): string } {
  const groups = new Groups();
  for (const node of graph.nodes) {
    if (float.has(node.name) || !movesOnly(node)) continue;
    for (const input of node.inputs) groups.join(input, node.output);
  }
  return groups;
}

function valueParameters(
  graph: InferenceGraph,
  ranges: ReadonlyMap<string, ValueRange>,
  float: ReadonlySet<string>,
  options: ActivationOptions,
): Record<string, AffineParameters> {
  const groups = scaleGroups(graph, float);
  const fixed = new Map<string, AffineParameters>();
  // With zero points of 0, bytes have no integer each: where they are rounded they lose a bit.
  if (graph.input.range === 'bytes' && options.scheme !== 'symmetric') fixed.set(graph.input.name, BYTE_PARAMETERS);
  for (const node of graph.nodes) {
    if (float.has(node.name)) continue;
    const unit = node.op === 'softmax' || node.op === 'sigmoid';
    if (unit && options.scheme !== 'symmetric') fixed.set(node.output, UNIT_PARAMETERS);
  }
  const values: Record<string, AffineParameters> = {};
  const chosen = new Map<string, AffineParameters>();
  const names = [graph.input.name, ...graph.nodes.map(({ output }) => output)];
  for (const name of names) {
    const group = groups.of(name);
    let parameters = chosen.get(group);
    if (!parameters) {
      const members = names.filter((other) => groups.of(other) === group);
      const given = members.find((member) => fixed.has(member));
      parameters = (given && fixed.get(given)) || parametersOf(unionOf(members, ranges), options);
      chosen.set(group, parameters);
    }
    values[name] = parameters;
  }
  return values;
}

function unionOf(names: readonly string[], ranges: ReadonlyMap<string, ValueRange>): ValueRange {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const name of names) {
    const range = ranges.get(name);
    if (!range) throw new ModelError(`quantization: no range was measured for ${name}`);
    min = Math.min(min, range.min);
    max = Math.max(max, range.max);
  }
  return { min, max };
}

function namesOf(graph: InferenceGraph): string {
  return graph.nodes.map(({ name }) => name).join(', ');
}

/** Names that belong together, by their first. */
class Groups {
  private readonly parents = new Map<string, string>();

  of(name: string): string {
    const parent = this.parents.get(name);
    return parent === undefined ? name : this.of(parent);
  }

  join(a: string, b: string): void {
    const [first, second] = [this.of(a), this.of(b)];
    if (first !== second) this.parents.set(second, first);
  }
}

/** Which layers the numbers of a folded node come from: training must move those, not what was made of them.
 *  Read off the draft of the graph, whose norms are still nodes of their own. */

import type * as tfl from '@tensorflow/tfjs-layers';
import type { DraftGraph } from '../../export/graph/from-model.ts';
import type { GraphNode } from '../../export/graph/graph.ts';
import type { DraftNode, Norm } from '../../export/graph/layers.ts';
import { isBatchNormalization, type StockFields } from '../../models/batch-normalization.ts';
import { ModelError } from '../../models/errors.ts';

export type BatchNormLayer = tfl.layers.Layer & StockFields;

/** A map x · scale + offset of each channel: a batch normalisation's, or one that does not learn. */
export type NormSource =
  | { readonly kind: 'batchNorm'; readonly layer: BatchNormLayer }
  | { readonly kind: 'constant'; readonly scale: Float32Array; readonly offset: Float32Array };

export interface LinearSource {
  /** The convolution or dense layer; undefined for norms alone. */
  readonly core: tfl.layers.Layer | undefined;
  /** What is folded into its weights from before it and from behind it, in the order of the data. */
  readonly before: readonly NormSource[];
  readonly after: readonly NormSource[];
}

/** Layers whose weights are the graph's constants as they are: kernel, and bias if any. */
const cores: readonly string[] = ['Conv2D', 'DepthwiseConv2D', 'Dense'];

/**
 * Where a node's constants come from; undefined for a node without any.
 *
 * @throws ModelError for a layer that does not learn with quantization
 */
export function sourceOf(node: GraphNode, draft: DraftGraph): LinearSource | undefined {
  switch (node.op) {
    case 'conv2d':
    case 'depthwiseConv2d':
    case 'dense':
      return linearSource(node, draft);
    case 'affine':
      return { core: undefined, before: [], after: normsBefore(node.name, node.inputs[0] ?? '', draft) };
    default:
      return undefined;
  }
}

/** All layers that a node's numbers come from. */
export function layersOf({ core, before, after }: LinearSource): readonly tfl.layers.Layer[] {
  const norms = [...before, ...after].flatMap((norm) => (norm.kind === 'batchNorm' ? [norm.layer] : []));
  return core ? [core, ...norms] : norms;
}

function linearSource(node: GraphNode, draft: DraftGraph): LinearSource {
  const core = draft.layers.get(node.name);
  const own = draft.nodes.find(({ name }) => name === node.name);
  if (!core || !own) throw new Error(`internal: ${node.name} comes from no layer`);
  if (!cores.includes(core.getClassName())) {
    throw new ModelError(
      `layer ${core.name}: a ${core.getClassName()} cannot be trained with quantization; ` +
        `those with weights that can are ${cores.join(', ')}, BatchNormalization`,
    );
  }
  const before = normsBefore(own.inputs[0] ?? '', node.inputs[0] ?? '', draft);
  return { core, before, after: normsAfter(own.output, node.output, draft) };
}

/** The norms on the way back from a value to what the node reads; padding lies between as well. */
function normsBefore(from: string, to: string, draft: DraftGraph): readonly NormSource[] {
  const norms: NormSource[] = [];
  for (let value = from; value !== to; ) {
    const made = draft.nodes.find(({ output }) => output === value);
    if (!made) break;
    if (made.op === 'norm') norms.unshift(normSource(made, draft));
    value = made.inputs[0] ?? '';
  }
  return norms;
}

/** The norms that follow a value until the node's own, which may lie behind an activation. */
function normsAfter(from: string, to: string, draft: DraftGraph): readonly NormSource[] {
  const norms: NormSource[] = [];
  for (let value = from; value !== to; ) {
    const readers: readonly DraftNode[] = draft.nodes.filter(({ inputs }) => inputs.some((input) => input === value));
    const [next] = readers;
    if (!next || readers.length > 1 || next.op !== 'norm') break;
    norms.push(normSource(next, draft));
    value = next.output;
  }
  return norms;
}

function normSource({ name, scale, offset }: Norm, { layers }: DraftGraph): NormSource {
  const layer = layers.get(name);
  if (layer && isBatchNormalization(layer)) return { kind: 'batchNorm', layer: layer as BatchNormLayer };
  return { kind: 'constant', scale: Float32Array.from(scale), offset: Float32Array.from(offset) };
}

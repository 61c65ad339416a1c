/** A network in parts by depth: stem, blocks, head. What freezing, gradual unfreezing and layer-wise rates count in.
 *  Found by structure, not by names, so that networks of any origin have parts. */

import type * as tfl from '@tensorflow/tfjs-layers';
import { isBatchNormalization } from '../batch-normalization.ts';
import { graphTo, type LayerGraph } from './graph.ts';
import { cutHead } from './head.ts';

type Layer = tfl.layers.Layer;

export interface Part {
  /** What its layers' names begin with, e.g. `layer4.1`, or the first one's name. */
  readonly name: string;
  readonly layers: readonly Layer[];
}

/** All layers of a model, each in one part; the stem may be empty. */
export interface Parts {
  readonly stem: Part;
  /** From the input to the output. */
  readonly blocks: readonly Part[];
  readonly head: Part;
}

/**
 * The parts of a classifier.
 *
 * A block is what lies between the fork and the sum of a residual connection; layers between two blocks belong to the
 * second. In a network without residual connections each layer with weights, and the normalisation behind it, is a
 * block.
 *
 * @throws ModelError for a model that does not end in a dense layer
 */
export function partsOf(model: tfl.LayersModel): Parts {
  const { features, head } = cutHead(model);
  const graph = graphTo(features);
  const residual = residualBlocks(graph);
  const runs = residual.length > 0 ? runsOf(graph.order, residual) : plainRuns(graph.order);
  const [stem, ...blocks] = runs.map((layers) => ({ name: nameOf(layers), layers }));
  return { stem: { name: 'stem', layers: stem?.layers ?? [] }, blocks, head: { name: nameOf(head), layers: head } };
}

/** Each residual block as a set of layers, in order; of nested ones the outermost. */
function residualBlocks({ order, sources }: LayerGraph): readonly ReadonlySet<Layer>[] {
  // Of each layer, itself and all that it depends on.
  const reach = new Map<Layer, Set<Layer>>();
  let blocks: ReadonlySet<Layer>[] = [];
  for (const layer of order) {
    const inputs = (sources.get(layer) ?? []).map((source) => reach.get(source) ?? new Set<Layer>());
    const own = new Set([layer, ...inputs.flatMap((set) => [...set])]);
    reach.set(layer, own);
    const [first, ...others] = inputs;
    if (layer.getClassName() !== 'Add' || first === undefined || others.length === 0) continue;
    const fork = order.findLast((one) => first.has(one) && others.every((set) => set.has(one)));
    const before = (fork && reach.get(fork)) ?? new Set<Layer>();
    const block = own.difference(before);
    blocks = [...blocks.filter((one) => !one.isSubsetOf(block)), block];
  }
  return blocks;
}

/** The stem, then each block with what lies before it; a tail with weights is a block of its own. */
function runsOf(order: readonly Layer[], blocks: readonly ReadonlySet<Layer>[]): Layer[][] {
  const numberOf = new Map(blocks.flatMap((block, i) => [...block].map((layer) => [layer, i + 1] as const)));
  const runs: Layer[][] = Array.from({ length: blocks.length + 1 }, () => []);
  let waiting: Layer[] = [];
  let seen = 0;
  for (const layer of order) {
    const number = numberOf.get(layer);
    if (number === undefined) {
      (seen === 0 ? runs[0] : waiting)?.push(layer);
      continue;
    }
    // What has no weights stays with the block that it follows.
    const next = waiting.some(hasWeights) ? number : Math.max(seen, 1);
    runs[next]?.push(...waiting.splice(0));
    runs[number]?.push(layer);
    seen = Math.max(seen, number);
  }
  if (waiting.some(hasWeights)) return [...runs, waiting];
  runs.at(-1)?.push(...waiting);
  waiting = [];
  return runs;
}

/** An empty stem with the input, then a block from each layer with weights on. */
function plainRuns(order: readonly Layer[]): Layer[][] {
  const runs: Layer[][] = [[]];
  for (const layer of order) {
    if (hasWeights(layer) && !isBatchNormalization(layer)) runs.push([]);
    runs.at(-1)?.push(layer);
  }
  return runs;
}

function hasWeights(layer: Layer): boolean {
  return layer.weights.length > 0;
}

/** The common beginning of the names, up to a separator. */
function nameOf(layers: readonly Layer[]): string {
  const names = layers.filter(hasWeights).map(({ name }) => name);
  const [first = layers[0]?.name ?? ''] = names;
  if (names.length < 2) return first;
  let length = 0;
  while (length < first.length && names.every((name) => name[length] === first[length])) length++;
  return (
    first
      .slice(0, length)
      .replace(/[^._/-]*$/, '')
      .replace(/[._/-]+$/, '') || first
  );
}

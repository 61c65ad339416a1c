/** The sections `prune` and `cluster`: what they may say, and the optimizer that keeps their rules.
 *  Both are stages of fine-tuning, so they lie around whatever optimizer the recipe has. */

import { z } from 'zod';
import { centroidInits } from '../cluster/centroids.ts';
import { weightClustering } from '../cluster/weight-clustering.ts';
import { type CompressingOptimizer, magnitudePruning } from '../prune/magnitude-pruning.ts';
import type { ScheduledOptimizer } from '../train/optimizer.ts';
import { type Clock, stepsOf } from './duration.ts';
import { choice, duration, number, whole } from './kinds.ts';

const patterns = z
  .array(z.string())
  .meta({ rule: 'a list of names of kernels, as [fc/*]', help: 'kernels that are left as they are' });

export const pruneSection = z.strictObject({
  sparsity: number('part of the weights of each kernel that becomes 0; 0: do not prune', {
    min: 0,
    max: 1,
    below: true,
  }).default(0),
  structure: choice('which: any, or two of each four along the input channels', ['unstructured', '2:4']).default(
    'unstructured',
  ),
  begin: duration('when the first weights go').default(0),
  end: duration('when the last ones go').default('60%'),
  exclude: patterns.default([]),
});

export const clusterSection = z.strictObject({
  clusters: z
    .union([z.literal(0), whole('', { min: 2, max: 65_536 })])
    .meta({
      rule: 'a whole number from 2 to 65536, or 0',
      help: 'values that the weights of each kernel share; 0: do not',
    })
    .default(0),
  init: choice('where they are looked for first', centroidInits).default('kmeans++'),
  gradients: choice("what a value gets of its weights' gradients", ['mean', 'sum']).default('mean'),
  exclude: patterns.default([]),
});

interface Sections {
  readonly prune: z.output<typeof pruneSection>;
  readonly cluster: z.output<typeof clusterSection>;
  readonly training: { readonly seed: number };
}

/** The optimizer with the rule around it and the callback that belongs to it; undefined where the recipe has neither. */
export function compressionOf(
  { prune, cluster, training }: Sections,
  clock: Clock,
  optimizer: ScheduledOptimizer,
): CompressingOptimizer | undefined {
  if (prune.sparsity > 0) {
    const { sparsity, structure, exclude } = prune;
    const begin = stepsOf(prune.begin, clock);
    const end = Math.max(begin, Math.min(stepsOf(prune.end, clock), clock.epochs * clock.stepsPerEpoch));
    return magnitudePruning(optimizer, { sparsity, structure, exclude, begin, end });
  }
  if (cluster.clusters > 0) return weightClustering(optimizer, { ...cluster, seed: training.seed });
  return undefined;
}

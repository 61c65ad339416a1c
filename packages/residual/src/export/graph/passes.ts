/** From the layers as they were trained to the few operations that inference needs: every pass by name, in order. */

import { dropUnread } from './drop.ts';
import { foldNorms } from './fold-norms.ts';
import { foldPadding } from './fold-padding.ts';
import { fuseActivations } from './fuse-activations.ts';
import type { GraphNode } from './graph.ts';
import type { DraftNode } from './layers.ts';

/** @param output the name of the value that the graph gives; a pass keeps it */
export function simplify(draft: readonly DraftNode[], output: string): readonly GraphNode[] {
  const normalised = foldNorms(draft, output);
  const padded = foldPadding(normalised);
  const fused = fuseActivations(padded, output);
  return dropUnread(fused, output);
}

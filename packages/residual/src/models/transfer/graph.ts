/** The layers of a model as a graph: who feeds whom, along the path that this very model takes.
 *  A layer may belong to several models; only the nodes that lead to this one's output count. */

import type * as tfl from '@tensorflow/tfjs-layers';

type Layer = tfl.layers.Layer;

/** What a symbolic tensor knows of its origin, and a node of its inputs; TF.js keeps both out of its types. */
interface Traced {
  readonly sourceLayer: Layer;
  readonly nodeIndex: number;
}

/** The tensors that go into the call of a layer that gave `tensor`; none for an input. */
export function inputsOf(tensor: tfl.SymbolicTensor): readonly tfl.SymbolicTensor[] {
  const { sourceLayer, nodeIndex } = tensor as unknown as Traced;
  const node = sourceLayer.inboundNodes[nodeIndex];
  return (node?.inputTensors ?? []).filter((input) => input !== tensor);
}

/** Layers in the order in which data passes, and which layers each takes its input from. */
export interface LayerGraph {
  readonly order: readonly Layer[];
  readonly sources: ReadonlyMap<Layer, readonly Layer[]>;
}

/** All that leads to `output`, its own layer last. */
export function graphTo(output: tfl.SymbolicTensor): LayerGraph {
  const sources = new Map<Layer, readonly Layer[]>();
  const order: Layer[] = [];
  const visit = (tensor: tfl.SymbolicTensor) => {
    const layer = tensor.sourceLayer;
    if (sources.has(layer)) return;
    const inputs = inputsOf(tensor);
    sources.set(
      layer,
      inputs.map(({ sourceLayer }) => sourceLayer),
    );
    for (const input of inputs) visit(input);
    order.push(layer);
  };
  visit(output);
  return { order, sources };
}

/** A layer, and those inside where it is a model. */
export function withInner(layer: Layer): readonly Layer[] {
  const { layers } = layer as Layer & { readonly layers?: readonly Layer[] };
  return layers === undefined ? [layer] : layers.flatMap(withInner);
}

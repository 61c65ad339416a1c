/** What a network needs of a file: its layers with weights, in topological order, and the shape of each weight.
 *  Taken from a model, or (architectures.ts) from the description of one that is not built. */

import * as tfl from '@tensorflow/tfjs-layers';

/** `other` layers have weights that only files of Keras's names can hold. */
export type LayerKind = 'conv' | 'norm' | 'dense' | 'other';

/** Keras's names of weights; those of other kinds of layers keep theirs. */
export type Role = 'kernel' | 'bias' | 'gamma' | 'beta' | 'moving_mean' | 'moving_variance' | (string & {});

export interface NeededLayer {
  /** As the model calls it. */
  readonly name: string;
  readonly kind: LayerKind;
  /** In our layouts: HWIO for convolutions, [in, out] for dense layers. */
  readonly shapes: ReadonlyMap<Role, readonly number[]>;
  /** Torchvision's name for this place of a ResNet, e.g. `layer2.0.downsample.0`; undefined in other networks. */
  readonly part: string | undefined;
  /** Of a convolution: the name of the batch normalisation that reads it. */
  readonly norm?: string;
  /** Of a batch normalisation. */
  readonly epsilon?: number;
}

export interface Needs {
  /** The model's name, for messages. */
  readonly name: string;
  readonly layers: readonly NeededLayer[];
  /** The classifier: the last dense layer. */
  readonly head: NeededLayer | undefined;
  /** The first convolution. */
  readonly first: NeededLayer | undefined;
  /** How strided convolutions pad; undefined where it makes no difference, or cannot be seen. */
  readonly padding: 'symmetric' | 'same' | undefined;
}

/** The variables of a layer by role. */
export function variablesOf(layer: tfl.layers.Layer): Map<Role, tfl.LayerVariable> {
  return new Map(layer.weights.map((weight) => [weight.originalName.split('/').at(-1) ?? weight.originalName, weight]));
}

/** The layers with weights, those of models within the model included, in the order of the data. */
export function weightedLayers(model: tfl.LayersModel): readonly tfl.layers.Layer[] {
  return model.layers.flatMap((layer) => {
    if (layer instanceof tfl.LayersModel) return weightedLayers(layer);
    return layer.weights.length === 0 ? [] : [layer];
  });
}

/** What `model` needs; parts of a ResNet are known by their names, see `partsByOrder` for those with other names. */
export function needsOf(model: tfl.LayersModel): Needs {
  const layers = weightedLayers(model).map((layer): NeededLayer => {
    const shapes = new Map(
      [...variablesOf(layer)].map(([role, { shape }]) => [role, shape.map((size) => size ?? 0)] as const),
    );
    const kind = kindOf(shapes);
    const norm = kind === 'conv' ? normAfter(layer) : undefined;
    return {
      name: layer.name,
      kind,
      shapes,
      part: partOf(layer.name),
      ...(norm === undefined ? {} : { norm }),
      ...(kind === 'norm' ? { epsilon: (layer as tfl.layers.Layer & { epsilon: number }).epsilon } : {}),
    };
  });
  return needsFrom(model.name, layers, paddingOf(model));
}

export function needsFrom(name: string, layers: readonly NeededLayer[], padding: Needs['padding']): Needs {
  const head = layers.findLast(({ kind }) => kind === 'dense');
  const first = layers.find(({ kind }) => kind === 'conv');
  return { name, layers, head, first, padding };
}

/** The name itself, where it is one of torchvision's. */
export function partOf(name: string): string | undefined {
  return PART.test(name) ? name : undefined;
}

const PART = /^(conv1|bn1|fc|layer\d+\.\d+\.((conv|bn)\d+|downsample\.[01]))$/;

export function kindOf(shapes: ReadonlyMap<Role, readonly number[]>): LayerKind {
  const rank = shapes.get('kernel')?.length;
  if (rank === 4) return 'conv';
  if (rank === 2) return 'dense';
  return shapes.has('moving_mean') && shapes.has('moving_variance') ? 'norm' : 'other';
}

/** The only reader of a layer's output, where that is a batch normalisation. */
function normAfter(layer: tfl.layers.Layer): string | undefined {
  const readers = layer.outboundNodes.map((node) => node.outboundLayer);
  const norms = readers.filter((reader) => reader.getClassName() === 'BatchNormalization');
  return readers.length === 1 ? norms[0]?.name : undefined;
}

interface ConvFields {
  readonly strides: readonly number[];
  readonly kernelSize: readonly number[];
  readonly padding: string;
}

function paddingOf(model: tfl.LayersModel): Needs['padding'] {
  for (const layer of weightedLayers(model)) {
    if (layer.getClassName() !== 'Conv2D') continue;
    const { strides, kernelSize, padding } = layer as tfl.layers.Layer & ConvFields;
    if (strides.every((stride) => stride === 1) || kernelSize.every((size) => size === 1)) continue;
    if (padding !== 'same') return 'symmetric';
    // Of an odd number of pixels SAME takes as many before as after.
    const sizes = (layer.inboundNodes[0]?.inputShapes[0] as number[] | undefined)?.slice(1, 3) ?? [];
    if (sizes.some((size) => size % 2 === 0)) return 'same';
  }
  return undefined;
}

/** The tensors of a file gathered into layers, for files that are read by layer names or by order: Keras's, TF.js's and
 *  TensorFlow's (`conv1/kernel`, `layers/conv2d/vars/0`), and graphs by their nodes (onnx-layers.ts, graph-layers.ts). */

import { configOf } from './file-config.ts';
import { graphLayers, isGraphModel } from './graph-layers.ts';
import type { KerasFile } from './keras/keras-file.ts';
import { kindOf, type LayerKind, type Role } from './layers.ts';
import type { OnnxFile } from './onnx/onnx.ts';
import { onnxLayers } from './onnx-layers.ts';
import type { WeightFile, WeightTensor } from './tensor.ts';
import type { TfjsFile } from './tfjs/tfjs.ts';

export interface FileLayer {
  /** e.g. `conv2d_1`; for ONNX the name of the kernel. */
  readonly name: string;
  readonly kind: LayerKind;
  readonly tensors: ReadonlyMap<Role, WeightTensor>;
  /** Of a batch normalisation, where the file says. */
  readonly epsilon?: number;
}

/** In the order of the layers: by the numbers of made-up names, else as the file has them. */
export function fileLayers(file: WeightFile): readonly FileLayer[] {
  if ('nodes' in file) return onnxLayers(file as OnnxFile);
  if ('topology' in file && isGraphModel(file as TfjsFile)) return graphLayers(file as TfjsFile);
  const layers = 'layers' in file ? listedLayers(file as KerasFile) : groupedLayers(file.tensors);
  const epsilons = configOf(file)?.epsilons;
  return layers.map((layer) => {
    const epsilon = layer.kind === 'norm' ? epsilons?.get(layer.name) : undefined;
    return epsilon === undefined ? layer : { ...layer, epsilon };
  });
}

const ROLES: readonly string[] = ['kernel', 'bias', 'gamma', 'beta', 'moving_mean', 'moving_variance'];

/** Not of the network itself: an optimizer's slots and a checkpoint's own entries. */
const OTHERS =
  /(^|\/)(optimizer|\.OPTIMIZER_SLOT|optimizer_weights|keras_api|_CHECKPOINTABLE_OBJECT_GRAPH|save_counter)/;

/** `conv1/conv1/kernel:0` → [`conv1/conv1`, `kernel`]; undefined for what is no layer's weight. */
function split(name: string): readonly [path: string, weight: string] | undefined {
  const plain = name.replace(/\/\.ATTRIBUTES\/VARIABLE_VALUE$/, '').replace(/:0$/, '');
  const parts = plain.split('/');
  const weight = parts.pop();
  if (weight === undefined || parts.length === 0 || OTHERS.test(plain)) return undefined;
  return [parts.join('/'), weight];
}

/** Where the reader knows the layers. */
function listedLayers({ layers }: KerasFile): readonly FileLayer[] {
  return numbered(
    layers.map(({ name, tensors }) => {
      const named = tensors.map((tensor, i) => [tensor.variable ?? `${i}`, tensor] as const);
      return layerOf(name, new Map<string, WeightTensor>(named));
    }),
  );
}

function groupedLayers(tensors: readonly WeightTensor[]): readonly FileLayer[] {
  const groups = new Map<string, Map<string, WeightTensor>>();
  for (const tensor of tensors) {
    const found = split(tensor.name);
    if (found === undefined) continue;
    const [path, weight] = found;
    const group = groups.get(path) ?? new Map<string, WeightTensor>();
    groups.set(path, group.set(weight, tensor));
  }
  const layers = [...groups].map(([path, group]) =>
    layerOf(path.split('/').findLast((part) => part !== 'vars') ?? path, group),
  );
  return numbered(layers);
}

function layerOf(name: string, group: ReadonlyMap<string, WeightTensor>): FileLayer {
  const byRole = rolesOf(group);
  const shapes = new Map([...byRole].map(([role, { shape }]) => [role, shape] as const));
  return { name, kind: kindOf(shapes), tensors: byRole };
}

/** Keras 3 counts the variables of a layer instead of naming them: by their order and ranks. */
function rolesOf(group: ReadonlyMap<string, WeightTensor>): ReadonlyMap<Role, WeightTensor> {
  const counted = [...group].every(([name]) => /^\d+$/.test(name));
  if (!counted) {
    return new Map(
      [...group].map(([name, tensor]) => {
        const plain = name.replace(/_\d+$/, '');
        return [ROLES.includes(plain) ? plain : name, tensor] as const;
      }),
    );
  }
  const inOrder = [...group].sort(([a], [b]) => Number(a) - Number(b)).map(([, tensor]) => tensor);
  const rank = inOrder[0]?.shape.length ?? 0;
  const vectors = inOrder.every(({ shape }) => shape.length === 1);
  // Without γ or without β three remain, and nothing tells which: their names stay numbers, so that they fit nothing.
  const roles =
    rank >= 2 ? ['kernel', 'bias'] : inOrder.length === 4 ? ROLES.slice(2) : inOrder.length === 2 ? ROLES.slice(4) : [];
  return new Map(inOrder.map((tensor, i) => [(vectors || rank >= 2 ? roles[i] : undefined) ?? `${i}`, tensor]));
}

/** Sorts the layers of each kind by the numbers at the ends of their names, where they are alike but for those. */
function numbered(layers: readonly FileLayer[]): readonly FileLayer[] {
  const kinds = new Map<LayerKind, FileLayer[]>();
  for (const layer of layers) kinds.set(layer.kind, [...(kinds.get(layer.kind) ?? []), layer]);
  return [...kinds.values()].flatMap((group) => {
    const names = group.map(({ name }) => /^(.*?)_?(\d*)$/.exec(name) ?? ['', name, '']);
    const alike = names.every(([, base]) => base === names[0]?.[1]);
    if (!alike) return group;
    const numbers = new Map(group.map((layer, i) => [layer, Number(names[i]?.[2] ?? 0)]));
    return [...group].sort((a, b) => (numbers.get(a) ?? 0) - (numbers.get(b) ?? 0));
  });
}

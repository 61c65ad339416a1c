/** The layout of Keras 1 and 2, which Keras 3 calls legacy: a group per layer, listed in order by attributes.
 *  https://github.com/keras-team/keras: keras/src/legacy/saving/legacy_h5_format.py. */

import { show } from '../reader.ts';
import { classOf, field } from './class-names.ts';
import type { Hdf5File } from './hdf5-file.ts';
import type { Hdf5View } from './hdf5-view.ts';
import type { KerasLayer } from './keras-file.ts';
import { kerasTensor, type StoredTensor, storedTensor } from './keras-tensor.ts';

/** Weights of the model itself, which belong to no layer. */
const TOP = 'top_level_model_weights';

/** The group that lists layers: the file itself, or `model_weights` of a whole model. */
export function legacyRoot(view: Hdf5View): string | undefined {
  return ['/model_weights', '/'].find((root) => {
    if (view.kind(root) !== 'group') return false;
    const names = view.attributes(root);
    return names.includes('layer_names') || names.includes('layer_names0');
  });
}

/** All layers with weights, in the model's order. */
export async function legacyLayers(file: Hdf5File, root: string, config: unknown): Promise<KerasLayer[]> {
  const classes = classesOf(config);
  const layers: KerasLayer[] = [];
  for (const name of await file.use((view) => layerNames(view, root))) {
    const stored = await file.use((view) => tensorsOf(view, root, name));
    if (stored.length === 0) continue;
    const tensors = stored.map((tensor) => kerasTensor(file, tensor));
    layers.push({ name, className: classes.get(name) ?? classOf(name), tensors });
  }
  return layers;
}

function layerNames(view: Hdf5View, root: string): string[] {
  const names = list(view, root, 'layer_names');
  if (new Set(names).size < names.length) throw view.error('lists a layer twice in layer_names');
  return names.includes(TOP) || !view.names(root).includes(TOP) ? names : [...names, TOP];
}

function tensorsOf(view: Hdf5View, root: string, layer: string): StoredTensor[] {
  const group = `${root === '/' ? '' : root}/${layer}`;
  if (view.kind(group) !== 'group') throw view.error(`layer_names lists ${show(layer)}, which is not in the file`);
  return list(view, group, 'weight_names').map((weight) => {
    const variable = weight.split('/').at(-1)?.replace(/:\d+$/, '');
    return storedTensor(view, `${group}/${weight}`, `${layer}/${weight}`, variable);
  });
}

/** A list of names, which may be cut into `NAME0`, `NAME1` …; an empty one is stored as numbers. */
function list(view: Hdf5View, group: string, name: string): string[] {
  const there = view.attributes(group);
  if (there.includes(name)) return view.text(group, name) ?? [];
  const all: string[] = [];
  for (let piece = 0; there.includes(`${name}${piece}`); piece++)
    all.push(...(view.text(group, `${name}${piece}`) ?? []));
  return all;
}

function classesOf(config: unknown): Map<string, string> {
  const layers = field(field(config, 'config'), 'layers') ?? field(config, 'config');
  const classes = new Map<string, string>();
  for (const layer of Array.isArray(layers) ? layers : []) {
    const [name, className] = [field(field(layer, 'config'), 'name'), field(layer, 'class_name')];
    if (typeof name === 'string' && typeof className === 'string') classes.set(name, className);
  }
  return classes;
}

/** The layout of Keras 1 and 2, which Keras 3 calls legacy: a group per layer, listed in order by attributes.
 *  https://github.com/keras-team/keras: keras/src/legacy/saving/legacy_h5_format.py. */

import { WeightsError } from '../errors.ts';
import { show } from '../reader.ts';
import { classOf, field } from './class-names.ts';
import type { Hdf5File } from './hdf5-file.ts';
import type { KerasLayer } from './keras-file.ts';
import { kerasTensor } from './keras-tensor.ts';

/** Pieces into which a list that is too long for one attribute is cut. */
const MOST_PIECES = 1000;

/** The group that lists layers: the file itself, or `model_weights` of a whole model. */
export async function legacyRoot(file: Hdf5File): Promise<string | undefined> {
  for (const root of ['/model_weights', '/']) {
    if (root !== '/' && (await file.kind(root)) !== 'group') continue;
    const names = await file.attributes(root);
    if (names.includes('layer_names') || names.includes('layer_names0')) return root;
  }
  return undefined;
}

/** All layers with weights, in the model's order. */
export async function legacyLayers(file: Hdf5File, root: string, config: unknown): Promise<KerasLayer[]> {
  const { name: source } = file.source;
  const names = await list(file, root, 'layer_names');
  const classes = classesOf(config);
  if (new Set(names).size < names.length) throw new WeightsError(`${source}: lists a layer twice in layer_names`);
  const top = 'top_level_model_weights';
  if (!names.includes(top) && (await file.names(root)).includes(top)) names.push(top);
  const base = root === '/' ? '' : root;
  const layers: KerasLayer[] = [];
  for (const name of names) {
    const group = `${base}/${name}`;
    if ((await file.kind(group)) !== 'group') {
      throw new WeightsError(`${source}: layer_names lists ${show(name)}, which is not in the file`);
    }
    const weights = await list(file, group, 'weight_names');
    const tensors = [];
    for (const weight of weights) {
      const variable = weight.split('/').at(-1)?.replace(/:\d+$/, '');
      tensors.push(await kerasTensor(file, `${group}/${weight}`, `${name}/${weight}`, variable));
    }
    if (tensors.length > 0) layers.push({ name, className: classes.get(name) ?? classOf(name), tensors });
  }
  return layers;
}

/** A list of names, which may be cut into `NAME0`, `NAME1` …; an empty one is stored as numbers. */
async function list(file: Hdf5File, group: string, name: string): Promise<string[]> {
  const there = await file.attributes(group);
  if (there.includes(name)) return (await file.text(group, name)) ?? [];
  const all: string[] = [];
  for (let piece = 0; there.includes(`${name}${piece}`) && piece < MOST_PIECES; piece++) {
    all.push(...((await file.text(group, `${name}${piece}`)) ?? []));
  }
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

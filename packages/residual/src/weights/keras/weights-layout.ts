/** The layout of Keras 3's `.weights.h5`, also within `.keras`: `layers/CLASS_COUNT/vars/0, 1 …`, nested as the objects.
 *  https://github.com/keras-team/keras: keras/src/saving/saving_lib.py. */

import { WeightsError } from '../errors.ts';
import { classOf, naturally, storedLayers, variablesOf } from './class-names.ts';
import type { Hdf5File } from './hdf5-file.ts';
import type { KerasLayer, KerasTensor } from './keras-file.ts';
import { kerasTensor } from './keras-tensor.ts';

/** Far more than the largest model; links within a file can make a cycle. */
const MOST_GROUPS = 10_000;
const DEEPEST = 24;
/** What TensorFlow 2.12 and 2.13 call `layers`. */
const OLD_LAYERS = '_layer_checkpoint_dependencies';
/** Not the model's. */
const OTHER_STATE = new Set(['optimizer', 'metrics', 'compile_metrics', '_compile_metrics', '_loss_tracker']);

interface Found {
  /** e.g. `layers/conv2d_1`. */
  readonly path: string;
  readonly name: string | undefined;
  readonly tensors: readonly { readonly path: string }[];
}

export async function hasWeightsLayout(file: Hdf5File): Promise<boolean> {
  const names = await file.names('/');
  return names.includes('layers') || names.includes(OLD_LAYERS) || names.includes('vars');
}

/** All layers with weights: in the order of `config` where there is one, else sorted by class and count. */
export async function weightsLayers(file: Hdf5File, config: unknown): Promise<KerasLayer[]> {
  const found = await walk(file);
  const stored = storedLayers(config);
  const places = new Map(stored.map(({ path }, i) => [path, i]));
  // A layer within a layer (a wrapper's, an attention's) stands where the outer one stands.
  const placeOf = (path: string) => {
    for (let outer = path; outer !== ''; outer = outer.slice(0, Math.max(0, outer.lastIndexOf('/')))) {
      const place = places.get(outer);
      if (place !== undefined) return place;
    }
    return places.size;
  };
  const ordered = found
    .map((layer) => ({ layer, place: placeOf(modern(layer.path)) }))
    .sort((a, b) => a.place - b.place);
  const layers: KerasLayer[] = [];
  for (const { layer } of ordered) {
    const known = stored[places.get(modern(layer.path)) ?? -1];
    const container = layer.path.split('/').at(-1) ?? '';
    const className = known?.className ?? classOf(container);
    const variables = variablesOf(className, layer.tensors.length);
    const tensors: KerasTensor[] = [];
    for (const [i, { path }] of layer.tensors.entries()) {
      tensors.push(await kerasTensor(file, `/${path}`, path, variables[i]));
    }
    layers.push({ name: known?.name ?? layer.name ?? container, className, tensors });
  }
  return layers;
}

const modern = (path: string) => path.replaceAll(OLD_LAYERS, 'layers');

async function walk(file: Hdf5File): Promise<Found[]> {
  const found: Found[] = [];
  let groups = 0;
  const visit = async (path: string, depth: number): Promise<void> => {
    groups++;
    if (groups > MOST_GROUPS || depth > DEEPEST) {
      throw new WeightsError(
        `${file.source.name}: has more than ${MOST_GROUPS} groups, or deeper than ${DEEPEST}: no model's`,
      );
    }
    const names = await file.names(path === '' ? '/' : `/${path}`);
    const within = (name: string) => (path === '' ? name : `${path}/${name}`);
    if (names.includes('vars') && (await file.kind(`/${within('vars')}`)) === 'group') {
      const vars = within('vars');
      const numbered = (await file.names(`/${vars}`)).sort((a, b) => Number(a) - Number(b) || naturally(a, b));
      const [name] = (await file.text(`/${vars}`, 'name')) ?? [];
      if (numbered.length > 0) found.push({ path, name, tensors: numbered.map((n) => ({ path: `${vars}/${n}` })) });
    }
    for (const name of names.sort(naturally)) {
      if (name === 'vars' || (path === '' && OTHER_STATE.has(name))) continue;
      if ((await file.kind(`/${within(name)}`)) === 'group') await visit(within(name), depth + 1);
    }
  };
  await visit('', 0);
  return found;
}

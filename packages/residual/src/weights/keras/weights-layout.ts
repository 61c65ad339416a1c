/** The layout of Keras 3's `.weights.h5`, also within `.keras`: `layers/CLASS_COUNT/vars/0, 1 …`, nested as the objects.
 *  https://github.com/keras-team/keras: keras/src/saving/saving_lib.py. */

import { classOf, naturally, storedLayers, variablesOf } from './class-names.ts';
import type { Hdf5File } from './hdf5-file.ts';
import type { Hdf5View } from './hdf5-view.ts';
import type { KerasLayer } from './keras-file.ts';
import { kerasTensor, type StoredTensor, storedTensor } from './keras-tensor.ts';

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
  /** The layer's own name, which newer files tell. */
  readonly name: string | undefined;
  readonly tensors: readonly StoredTensor[];
}

export function hasWeightsLayout(view: Hdf5View): boolean {
  const names = view.names('/');
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
    const tensors = layer.tensors.map((tensor, i) => kerasTensor(file, { ...tensor, variable: variables[i] }));
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
    const { layer, inner } = await file.use((view) => {
      if (groups > MOST_GROUPS || depth > DEEPEST) {
        throw view.error(`has more than ${MOST_GROUPS} groups, or deeper than ${DEEPEST}: more than any model`);
      }
      return look(view, path);
    });
    if (layer) found.push(layer);
    for (const group of inner) await visit(group, depth + 1);
  };
  await visit('', 0);
  return found;
}

/** The variables in a group, and the groups in it. */
function look(view: Hdf5View, path: string): { layer: Found | undefined; inner: string[] } {
  const names = view.names(`/${path}`).sort(naturally);
  const within = (name: string) => (path === '' ? name : `${path}/${name}`);
  const inner = names
    .filter((name) => name !== 'vars' && !(path === '' && OTHER_STATE.has(name)))
    .map(within)
    .filter((group) => view.kind(`/${group}`) === 'group');
  const vars = within('vars');
  if (!names.includes('vars') || view.kind(`/${vars}`) !== 'group') return { layer: undefined, inner };
  const numbers = view.names(`/${vars}`).sort((a, b) => Number(a) - Number(b) || naturally(a, b));
  if (numbers.length === 0) return { layer: undefined, inner };
  const tensors = numbers.map((n) => storedTensor(view, `/${vars}/${n}`, `${vars}/${n}`, undefined));
  return { layer: { path, name: view.text(`/${vars}`, 'name')?.[0], tensors }, inner };
}

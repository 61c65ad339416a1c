/** Applies a map: which layer of a file goes to which layer of a network. Names and order only; whether the shapes fit
 *  is for fit.ts to say. */

import { configOf, conventionsIn, type FileConfig } from './file-config.ts';
import { type FileLayer, fileLayers } from './file-layers.ts';
import type { NeededLayer, Needs, Role } from './layers.ts';
import type { LayersMap, PartsMap, WeightMap } from './maps/map.ts';
import { partNames } from './maps/parts.ts';
import type { WeightFile, WeightTensor } from './tensor.ts';

export interface Assignment {
  readonly map: WeightMap;
  /** The tensors for each layer of the network, by role; a layer that nothing is for is missing. */
  readonly found: ReadonlyMap<NeededLayer, ReadonlyMap<Role, WeightTensor>>;
  /** Of batch normalisations, where the file says. */
  readonly epsilons: ReadonlyMap<NeededLayer, number>;
  /** How the file would call a weight. */
  nameOf(layer: NeededLayer, role: Role): string;
  /** What stands before all names, as `module.`. */
  readonly prefix: string;
  /** Other sets of the same names in the file. */
  readonly otherPrefixes: readonly string[];
}

/** A file as maps see it: gathered once, used by all. */
export interface FileView {
  readonly file: WeightFile;
  /** Of strided convolutions, where the file says. */
  readonly padding: FileConfig['padding'];
  readonly layers: readonly FileLayer[];
  /** By name; in files of Keras's kind by `LAYER/WEIGHT`. */
  readonly tensors: ReadonlyMap<string, WeightTensor>;
}

export function viewOf(file: WeightFile): FileView {
  const layers = fileLayers(file);
  const kerasNames = layers.flatMap(({ name, tensors }) =>
    [...tensors].map(([role, tensor]) => [`${name}/${role}`, tensor] as const),
  );
  const ownNames = file.tensors.map((tensor) => [tensor.name, tensor] as const);
  const isKeras = file.format === 'keras' || file.format === 'tfjs' || file.format === 'tensorflow';
  return {
    file,
    layers,
    padding: configOf(file)?.padding ?? conventionsIn(file).padding,
    tensors: new Map(isKeras ? [...kerasNames, ...ownNames] : ownNames),
  };
}

/** Undefined where the map is not for files of this format. */
export function assign(map: WeightMap, view: FileView, needs: Needs): Assignment | undefined {
  if (map.formats !== undefined && !map.formats.includes(view.file.format)) return undefined;
  switch (map.by) {
    case 'parts':
      return byParts(map, view, needs);
    case 'layers':
      return byLayerNames(map, view, needs);
    case 'order':
      return byOrder(map, view, needs);
    default:
      return map satisfies never;
  }
}

function byParts(map: PartsMap, view: FileView, needs: Needs): Assignment {
  const names = partNames(
    map.parts,
    needs.layers.map(({ part }) => part).filter((part) => part !== undefined),
  );
  const weightName = (layer: NeededLayer, role: Role) => {
    const name = names.get(layer.part ?? '');
    return name === undefined
      ? layer.name
      : `${name}${(map.weights as Readonly<Record<Role, string>>)[role] ?? `.${role}`}`;
  };
  const kernel = (part: string) => `${names.get(part)}${map.weights.kernel}`;
  const [prefix = '', ...otherPrefixes] = prefixes(view, kernel('conv1'), kernel('layer1.0.conv1'));
  const nameOf = (layer: NeededLayer, role: Role) => `${prefix}${weightName(layer, role)}`;
  const found = new Map(
    needs.layers.map((layer) => {
      const roles = layer.kind === 'norm' ? NORM : KERNEL;
      const tensors = roles.flatMap((role) => {
        const tensor = layer.part === undefined ? undefined : view.tensors.get(nameOf(layer, role));
        return tensor === undefined ? [] : [[role, tensor] as const];
      });
      return [layer, new Map<Role, WeightTensor>(tensors)] as const;
    }),
  );
  const { epsilon } = conventionsIn(view.file);
  const norms = epsilon === undefined ? [] : needs.layers.filter(({ kind }) => kind === 'norm');
  const epsilons = new Map(norms.map((layer) => [layer, epsilon as number]));
  return { map, found, epsilons, nameOf, prefix, otherPrefixes };
}

const KERNEL = ['kernel', 'bias'] as const;
const NORM = ['gamma', 'beta', 'moving_mean', 'moving_variance'] as const;

/** What stands before two names that every network of the map has; a moving average (`_ema`) first, as timm takes it. */
function prefixes({ tensors }: FileView, first: string, second: string): readonly string[] {
  const all = [...tensors.keys()].filter((name) => name.endsWith(second)).map((name) => name.slice(0, -second.length));
  const whole = all.filter((prefix) => tensors.has(`${prefix}${first}`));
  return whole.sort((a, b) => Number(/ema/i.test(b)) - Number(/ema/i.test(a)) || a.length - b.length);
}

function byLayerNames(map: LayersMap, { layers }: FileView, needs: Needs): Assignment {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  const nameOf = ({ name }: NeededLayer) => map.names?.[name] ?? name;
  const pairs = new Map(needs.layers.flatMap((layer) => pairOf(layer, byName.get(nameOf(layer)))));
  return {
    map,
    ...contents(pairs),
    nameOf: (layer, role) => `${nameOf(layer)}/${role}`,
    prefix: '',
    otherPrefixes: [],
  };
}

function pairOf<T>(layer: NeededLayer, partner: T | undefined): readonly (readonly [NeededLayer, T])[] {
  return partner === undefined ? [] : [[layer, partner]];
}

function contents(pairs: ReadonlyMap<NeededLayer, FileLayer>): Pick<Assignment, 'found' | 'epsilons'> {
  return {
    found: new Map([...pairs].map(([layer, { tensors }]) => [layer, tensors])),
    epsilons: new Map([...pairs].flatMap(([layer, { epsilon }]) => pairOf(layer, epsilon))),
  };
}

/**
 * Convolutions by the order of those with the same kernel; the k-th convolution's normalisation is the k-th, as whoever
 * builds a network makes both at once. So a shortcut may be made before its block or after it.
 */
function byOrder(map: WeightMap, { layers }: FileView, needs: Needs): Assignment {
  const ofKind = (kind: NeededLayer['kind']) => layers.filter((layer) => layer.kind === kind);
  const needed = (kind: NeededLayer['kind']) => needs.layers.filter((layer) => layer.kind === kind);
  const fileNorms = ofKind('norm');
  const pairs = new Map<NeededLayer, FileLayer>();
  const partners = byShape(map, needed('conv'), ofKind('conv'));
  const fileConvs = ofKind('conv');
  const normsPair = fileNorms.length === fileConvs.length;
  for (const [layer, partner] of partners) {
    pairs.set(layer, partner);
    const norm = needs.layers.find(({ name }) => name === layer.norm);
    const fileNorm = fileNorms[fileConvs.indexOf(partner)];
    if (norm !== undefined && normsPair && fileNorm !== undefined) pairs.set(norm, fileNorm);
  }
  const rest = (kind: NeededLayer['kind'], from: readonly FileLayer[]) => {
    const free = from.filter((layer) => ![...pairs.values()].includes(layer));
    needed(kind)
      .filter((layer) => !pairs.has(layer))
      .forEach((layer, i) => {
        const partner = free[i];
        if (partner !== undefined) pairs.set(layer, partner);
      });
  };
  rest('norm', fileNorms);
  const denses = ofKind('dense');
  rest('dense', denses.slice(-needed('dense').length));
  return {
    map,
    ...contents(pairs),
    nameOf: (layer, role) => {
      const partner = pairs.get(layer);
      return partner?.tensors.get(role)?.name ?? `${partner?.name ?? layer.kind}/${role}`;
    },
    prefix: '',
    otherPrefixes: [],
  };
}

function byShape(
  map: WeightMap,
  needed: readonly NeededLayer[],
  there: readonly FileLayer[],
): readonly (readonly [NeededLayer, FileLayer])[] {
  const shapeOf = (layer: FileLayer) => `${kernelShape(map, layer.tensors.get('kernel')?.shape ?? [])}`;
  const free = new Map<string, FileLayer[]>();
  for (const layer of there) free.set(shapeOf(layer), [...(free.get(shapeOf(layer)) ?? []), layer]);
  const pairs: [NeededLayer, FileLayer][] = [];
  const left: NeededLayer[] = [];
  for (const layer of needed) {
    const partner = free.get(`${layer.shapes.get('kernel')}`)?.shift();
    if (partner === undefined) left.push(layer);
    else pairs.push([layer, partner]);
  }
  // Those of other shapes are paired for what the message says, or for a first layer that is adapted.
  const others = there.filter((layer) => !pairs.some(([, partner]) => partner === layer));
  for (const [i, layer] of left.entries()) {
    const partner = others[i];
    if (partner !== undefined) pairs.push([layer, partner]);
  }
  return pairs;
}

/** A stored kernel's shape in our layout. */
export function kernelShape({ layout }: Pick<WeightMap, 'layout'>, shape: readonly number[]): readonly number[] {
  if (layout === 'HWIO') return shape;
  const [out = 0, input = 0, height = 0, width = 0] = shape;
  return shape.length === 4 ? [height, width, input, out] : shape.length === 2 ? [input, out] : shape;
}

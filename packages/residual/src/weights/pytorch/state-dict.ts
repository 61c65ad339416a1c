/** From whatever was saved to a flat list of named tensors. Checkpoints put the weights beside an optimizer's state, an
 *  epoch, a recipe: which part is the weights follows one rule, and what is left out is told. */

import { WeightsError } from '../errors.ts';
import { elementsOf } from '../floats.ts';
import { LeftOut } from '../left-out.ts';
import { show } from '../reader.ts';
import type { ByteSource } from '../source.ts';
import type { WeightTensor } from '../tensor.ts';
import { PickledTensor } from './objects.ts';

/** Where checkpoints keep their weights, in the order in which they are tried. */
export const WEIGHT_KEYS = ['state_dict', 'model_state_dict', 'model_state', 'model', 'net', 'state_dict_ema'] as const;

/** What wrappers put before every name: DataParallel, torch.compile. */
const PREFIXES = ['module.', '_orig_mod.'] as const;

const DEEPEST = 16;
/** Of tensors and other values together. */
const MOST_VALUES = 200_000;
/** Of numbers in all tensors together: as often as the file has bytes, and a few more. Tied weights are twice or so. */
const MOST_REPEATS = 16;
const SPARE = 2 ** 24;

export interface StateDict {
  readonly tensors: readonly WeightTensor[];
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * The tensors of `value`, named by their keys joined with `.`.
 *
 * The weights are the value itself; or, where it is a dict without a tensor of its own and one of `WEIGHT_KEYS` is a
 * dict, that one (again and again). `module.` and `_orig_mod.` are taken off where every name begins so.
 *
 * Metadata has what is beside the weights: numbers and text as they are (`epoch: 12`), other values under `left out`
 * with their size (`optimizer (122 tensors)`), and what was taken off names (`prefix: module.`).
 *
 * @throws WeightsError where there is no tensor, two have one name, or nesting is deep or cyclic
 */
export function stateDictOf(value: unknown, { name: file, size }: Pick<ByteSource, 'name' | 'size'>): StateDict {
  const fail = (problem: string) => new WeightsError(`${file}: no readable PyTorch file: ${problem}`);
  const metadata = new Map<string, string>();
  const leftOut = new LeftOut();
  const walk = walker(file);
  let weights = value;
  for (let depth = 0; weights instanceof Map; depth++) {
    if (depth > DEEPEST) throw fail('its dicts are nested without an end');
    const dict: Map<unknown, unknown> = weights;
    const key = WEIGHT_KEYS.find((candidate) => dict.get(candidate) instanceof Map);
    if (key === undefined || [...dict.values()].some((item) => item instanceof PickledTensor)) break;
    for (const [name, item] of dict) {
      if (name === key) continue;
      if (item === null || typeof item !== 'object') metadata.set(keyText(name), short(item));
      else leftOut.add(keyText(name), sizeOf(item, walk));
    }
    weights = dict.get(key);
  }

  const found = new Map<string, PickledTensor>();
  walk(weights, (path, item) => {
    const name = path.join('.') || 'tensor';
    if (item instanceof PickledTensor) {
      if (found.has(name)) throw fail(`two tensors are named ${show(name)}`);
      found.set(name, item);
    } else if (item !== null && typeof item !== 'object') {
      metadata.set(name, short(item));
    }
  });
  if (found.size === 0) throw fail('it has no tensors');

  let names = [...found.keys()];
  for (let again = true; again; ) {
    again = false;
    for (const prefix of PREFIXES) {
      // Never the whole name, so that none is left empty.
      if (!names.every((name) => name.startsWith(prefix) && name.length > prefix.length)) continue;
      names = names.map((name) => name.slice(prefix.length));
      metadata.set('prefix', `${metadata.get('prefix') ?? ''}${prefix}`);
      again = true;
    }
  }
  let numbers = 0;
  const tensors = [...found.values()].map((tensor, i): WeightTensor => {
    const name = names[i];
    const who = `${file}: ${show(name)}`;
    const { shape } = tensor.view;
    numbers += elementsOf(shape, who);
    if (numbers > MOST_REPEATS * size + SPARE)
      throw fail(`its tensors have ${numbers} numbers, the file ${size} bytes`);
    return { name, type: tensor.type, shape, read: () => tensor.read(who) };
  });
  return { tensors, metadata: Object.fromEntries([...metadata, ...leftOut.entries()]) };
}

type Walk = (value: unknown, visit: (path: readonly string[], item: unknown) => void) => void;

/**
 * Visits all that is in dicts and lists and is neither; what is shared is visited once for each of its places. The
 * number of visits is bounded, for all walks together: ten references to ten references to … have no end otherwise.
 */
function walker(file: string): Walk {
  let left = MOST_VALUES;
  return (value, visit) => {
    const walk = (item: unknown, path: readonly string[]): void => {
      if (--left < 0) throw new WeightsError(`${file}: has more than ${MOST_VALUES} values; it may be made to mislead`);
      if (path.length > DEEPEST)
        throw new WeightsError(`${file}: is nested deeper than ${DEEPEST}, or refers to itself`);
      if (item instanceof Map) {
        for (const [key, inner] of item) walk(inner, [...path, keyText(key)]);
      } else if (Array.isArray(item)) {
        for (const [i, inner] of item.entries()) walk(inner, [...path, String(i)]);
      } else {
        visit(path, item);
      }
    };
    walk(value, []);
  };
}

const keyText = (key: unknown) => (typeof key === 'object' && key !== null ? 'an object' : short(key));
const short = (value: unknown) => String(value).slice(0, 1024);

function sizeOf(item: object, walk: Walk): string {
  let tensors = 0;
  let values = 0;
  walk(item, (_, inner) => {
    if (inner instanceof PickledTensor) tensors++;
    else values++;
  });
  return tensors > 0 ? `${tensors} tensors` : `${values} values`;
}

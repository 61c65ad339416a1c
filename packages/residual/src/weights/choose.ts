/** Which map fits a file and a network: tries all, takes the best, and says what is wrong with the nearest where none
 *  does. */

import { assign, type FileView } from './assign.ts';
import { WeightsError } from './errors.ts';
import { type Fit, type FitOptions, fit, type Unfit } from './fit.ts';
import type { Needs } from './layers.ts';
import { type WeightMapName, weightMaps } from './maps/index.ts';
import type { WeightMap } from './maps/map.ts';
import { type Stranger, strangers } from './maps/strangers.ts';

export interface ChooseOptions extends FitOptions {
  /** Whose names the file has, e.g. `torchvision`. Default: whichever fit best. */
  readonly map?: WeightMapName;
}

/** How well each map that is for this format fits, the best first. */
export function fitsOf(view: FileView, needs: Needs, options: ChooseOptions = {}): readonly Fit[] {
  const maps: readonly WeightMap[] = weightMaps.filter(({ name }) => options.map === undefined || options.map === name);
  const fits = maps.flatMap((map) => {
    const assignment = assign(map, view, needs);
    return assignment === undefined ? [] : [fit(needs, assignment, options)];
  });
  // The sort is stable: among equals the order of the maps decides.
  return fits.sort((a, b) => Number(a.problems.length > 0) - Number(b.problems.length > 0) || score(b) - score(a));
}

/** Names that are there count, shapes that fit count more. */
function score({ taken, problems }: Fit): number {
  return taken + problems.filter(({ found }) => found !== undefined).length / 4;
}

/**
 * The best fit.
 *
 * @throws WeightsError where none fits, with the nearest map and the first mismatches
 */
export function chooseFit(view: FileView, needs: Needs, options: ChooseOptions = {}): Fit {
  const { name, format, tensors } = view.file;
  if (options.map !== undefined && !weightMaps.some((map) => map.name === options.map)) {
    const names = weightMaps.map((map) => map.name).join(', ');
    throw new WeightsError(`map must be one of ${names}; received '${options.map}'`);
  }
  if (tensors.length === 0) throw new WeightsError(`${name}: holds no tensors`);
  const [best] = fitsOf(view, needs, options);
  if (best === undefined) throw new WeightsError(`${name}: map '${options.map}' is not for files of format ${format}`);
  if (best.problems.length > 0) throw new WeightsError(misfit(view, needs, best));
  const extra = best.map.by === 'layers' ? [] : extraKernels(view, best);
  if (extra.length > 0) {
    throw new WeightsError(
      `${name}: is of a deeper network than ${needs.name}: ${extra.length} of its convolutions have no place there, ` +
        `the first is ${extra[0]}`,
    );
  }
  return best;
}

/** Kernels of convolutions that a fit leaves over, those of other networks in the same file aside. */
export function extraKernels({ layers, tensors }: FileView, { settled, prefix, map }: Fit): readonly string[] {
  const used = new Set(settled.map(({ from }) => from?.name));
  const own =
    map.by === 'parts'
      ? [...tensors.values()].filter(({ name }) => name.startsWith(prefix))
      : layers.flatMap((layer) => [...layer.tensors.values()]);
  const extra = own.filter(({ name, shape }) => shape.length === 4 && !used.has(name));
  return [...new Set(extra.map(({ name }) => name))];
}

/** One line: what is nearest, the first mismatches, and what may help. */
function misfit(view: FileView, needs: Needs, { map, problems, taken, all }: Fit): string {
  const names = [...view.tensors.keys()];
  const stranger = strangerIn(view);
  const shown = problems.slice(0, 3).map(mismatch);
  const rest = problems.length > shown.length ? [`and ${problems.length - shown.length} more`] : [];
  const nearest =
    taken === 0
      ? `its names (${names.slice(0, 2).join(', ')} …) are of no origin that is known`
      : `nearest are the names of ${map.title}, with ${taken} of ${all} weights`;
  const other =
    stranger === undefined ? '' : `it is ${stranger.is}, another network${stranger.help ? `: ${stranger.help}` : ''}`;
  const hints = [other, remedy(needs, problems, map)];
  const hint = hints
    .filter((text) => text !== '')
    .map((text) => `; ${text}`)
    .join('');
  return `${view.file.name}: does not fit ${needs.name}: ${nearest}: ${[...shown, ...rest].join(', ')}${hint}`;
}

/** What the file is known to be that none of our networks is. */
export function strangerIn({ tensors }: FileView): Stranger | undefined {
  return strangers.find(({ mark }) => [...tensors.keys()].some((name) => mark.test(name)));
}

/** e.g. `fc.weight must be [10, 512], is [1000, 512]`. */
export function mismatch({ name, needed, found }: Unfit): string {
  const text = (shape: readonly number[]) => `[${shape.join(', ')}]`;
  return found === undefined
    ? `${name} ${text(needed)} is not in the file`
    : `${name} must be ${text(needed)}, is ${text(found)}`;
}

/** What to do where a choice made beforehand is the reason. */
function remedy({ first, head }: Needs, problems: readonly Unfit[], { layout }: WeightMap): string {
  if (problems.every(({ layer }) => layer === head?.name)) return `head: 'keep' keeps the model's own classifier`;
  const [one, ...others] = problems;
  if (one?.found?.length !== 4 || others.length > 0 || one.layer !== first?.name) return '';
  const side = (shape: readonly number[]) => shape[layout === 'OIHW' ? 2 : 0];
  const [theirs, ours] = [side(one.found), side(one.needed)];
  if (theirs !== ours) {
    const stem = theirs === 7 ? 'imagenet' : 'cifar';
    return `the file's first convolution is ${theirs}×${theirs}: build the model with stem: '${stem}'`;
  }
  return `the file is for pictures of another number of channels: channels: 'adapt' makes the first kernel fit`;
}

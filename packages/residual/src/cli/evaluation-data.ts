/** Which images a trained model is measured on: the run's own, cut as they were for training, or others.
 *  For the commands that measure: evaluate, export and verify. */

import type { Dataset, Splits } from '../data/dataset.ts';
import { openData } from '../data/node/open.ts';
import { subset } from '../data/subset.ts';
import { plural } from '../evaluate/report-format.ts';
import type { ModelInfo, Preprocessing } from '../models/info.ts';
import { CommandError } from './command.ts';
import type { LoadedRun } from './load-run.ts';
import { noImages, openPlanned } from './run-plan.ts';

export type SplitName = 'test' | 'validation' | 'train';

interface Asked {
  readonly data?: string;
  readonly split?: string;
  /** Training images are needed beside those that are measured. Default false. */
  readonly known?: boolean;
}

/** The run's own data, cut as it was for training, or other data brought to the model's input. */
export async function openFor({ plan, info, folder }: LoadedRun, values: Asked): Promise<Splits> {
  if (values.data === undefined) {
    if (plan === undefined) throw noImages(folder);
    return openPlanned(plan);
  }
  return openAs(info.preprocessing, values.data, values.split === 'validation' || values.known === true);
}

/** Other images, brought to a model's input. */
export function openAs(
  { inputShape, resize, crop, interpolation }: Preprocessing,
  data: string,
  held: boolean,
): Promise<Splits> {
  return openData(data, {
    size: [inputShape[0], inputShape[1]],
    channels: inputShape[2] === 1 ? 1 : 3,
    resize,
    crop,
    interpolation,
    // Nothing is held out of images that this model was not trained on, unless that part is asked for.
    ...(held ? {} : { validation: 0 }),
  });
}

/** The part that was asked for; else the one that the model knows least. */
export function choosePart(splits: Splits, part: string | undefined): readonly [name: SplitName, dataset: Dataset] {
  const asked = part as SplitName | undefined;
  const preferred: readonly SplitName[] = asked === undefined ? ['test', 'validation', 'train'] : [asked];
  for (const name of preferred) {
    const dataset = splits[name];
    if (dataset !== undefined) return [name, dataset];
  }
  const there = (['test', 'validation', 'train'] as const).filter((name) => splits[name] !== undefined);
  throw new CommandError(`the data has no ${asked} images`, `it has --split ${there.join(', --split ')}`);
}

/** Spread over the whole, since files lie sorted by class. */
export function atMost(dataset: Dataset, images: number | undefined): Dataset {
  if (images === undefined || images >= dataset.size) return dataset;
  return subset(
    dataset,
    Int32Array.from({ length: images }, (_, i) => Math.floor((i * dataset.size) / images)),
  );
}

/** e.g. `2,000 test images`. */
export function imagesText(dataset: Dataset, split: SplitName): string {
  return plural(dataset.size, `${split} image`);
}

/** The same classes in the same order: anything else would be counted wrongly without a word. */
export function checkClasses(info: Pick<ModelInfo, 'classes'>, dataset: Dataset): void {
  const ours = info.classes;
  if (dataset.classes.length === ours.length && dataset.classes.every((name, i) => name === ours[i])) return;
  const missing = ours.filter((name) => !dataset.classes.includes(name));
  const unknown = dataset.classes.filter((name) => !ours.includes(name));
  const parts = [
    ...(missing.length > 0 ? [`it lacks ${list(missing)}`] : []),
    ...(unknown.length > 0 ? [`the model does not know ${list(unknown)}`] : []),
  ];
  throw new CommandError(
    `the classes of ${dataset.name} are not the model's: ${parts.length > 0 ? parts.join('; ') : 'their order differs'}`,
    `the model's classes are ${list(ours)}`,
  );
}

function list(names: readonly string[], most = 6): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

/** From what a publisher says about pictures to the preprocessing that our models carry with them.
 *  So nobody has to remember ImageNet's mean, its deviation, or how much of a picture is cut off. */

import { fashionMnistClasses } from '../../data/names.ts';
import type { Preprocessing } from '../../models/info.ts';
import { WeightsError } from '../errors.ts';
import type { ClassList, WeightsEntry } from './entry.ts';
import { imagenetClasses } from './imagenet-classes.ts';

/**
 * The preprocessing of an entry's network, for pictures of `inputShape`: normalisation and the cut of the centre are the
 * published ones at any size.
 *
 * @param inputShape default: the size at which the entry was evaluated
 * @throws WeightsError where the file takes another number of channels
 */
export function preprocessingOf(
  { name, preprocessing }: Pick<WeightsEntry, 'name' | 'preprocessing'>,
  inputShape?: Preprocessing['inputShape'],
): Preprocessing {
  const { size, crop, interpolation, channels, mean, std } = preprocessing;
  const shape = inputShape ?? ([size, size, channels] as const);
  if (shape[2] !== channels) {
    const kind = channels === 1 ? '1 channel (grey)' : '3 channels (red, green, blue)';
    throw new WeightsError(`${name}: takes pictures of ${kind}, the model has ${shape[2]}`, {
      hint: `--channels ${channels} brings all pictures to that`,
    });
  }
  return {
    inputShape: [...shape],
    resize: 'cover',
    ...(crop === 1 ? {} : { crop }),
    ...(interpolation === undefined ? {} : { interpolation }),
    mean: [...mean],
    std: [...std],
  };
}

/** The names of an entry's outputs, in order. */
export function classesOf({ classes }: Pick<WeightsEntry, 'classes'>): readonly string[] {
  return lists[classes];
}

const lists: Readonly<Record<ClassList, readonly string[]>> = {
  'imagenet-1k': imagenetClasses,
  'fashion-mnist': fashionMnistClasses,
};

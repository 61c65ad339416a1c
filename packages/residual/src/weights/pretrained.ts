/** A network around a file of weights: what the file tells of its width, stem and convention need not be repeated.
 *  How a file is opened differs between a page and Node; each gives its own `open`. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { ImageShape } from '../data/dataset.ts';
import { ModelError } from '../models/errors.ts';
import type { KnownPreprocessing } from '../models/preprocessing.ts';
import { type ResNetOptions, type ResNetVariant, resnet, resnetVariants } from '../models/resnet.ts';
import { type Candidate, identify } from './identify.ts';
import { type LoadOptions, type LoadReport, loadWeights } from './load.ts';
import { reportLines } from './report.ts';
import type { WeightFile } from './tensor.ts';

/** What a network with pretrained weights takes: `weights`, and what shall differ from the file. */
export interface PretrainedOptions<W>
  extends Partial<Omit<ResNetOptions, 'zeroInitResidual'>>,
    Pick<LoadOptions, 'map' | 'head' | 'channels'> {
  readonly weights: W;
  /** Receives the account of what was loaded, left over and missing; without it that is printed by `console.info`. */
  readonly onReport?: (report: LoadReport) => void;
}

/** An open file, and what is known of it beside what it holds. */
export interface OpenedWeights {
  readonly file: WeightFile;
  readonly preprocessing?: KnownPreprocessing;
  /** The size of pictures at which the network was evaluated, in pixels. */
  readonly size?: number;
}

/**
 * Builds a network with the weights of a file.
 *
 * Width, stem, convention, channels and the number of classes are the file's where they are not given. Another number of
 * classes makes a new classifier, which is said. The file's preprocessing is noted on the model (`preprocessingOf`).
 *
 * @param options.inputShape default: the size at which the file's network was evaluated, else 224 pixels for the imagenet
 *   stem and 32 for the cifar stem
 * @throws WeightsError where the file does not fit, ModelError for impossible options
 */
export async function pretrainedFrom(
  name: string,
  { file, preprocessing, size }: OpenedWeights,
  options: Omit<PretrainedOptions<unknown>, 'weights'>,
): Promise<LayersModel> {
  if (!Object.hasOwn(resnetVariants, name)) {
    throw new ModelError(`no model is called '${name}'; there are ${Object.keys(resnetVariants).join(', ')}`);
  }
  const { map, head, channels, onReport = print, ...given } = options;
  const { fits, nearest } = identify(file);
  const known = (fits ?? nearest)?.dimensions;
  const { classes = known?.classes ?? 1000 } = given;
  const model = resnet(name as ResNetVariant, {
    ...known,
    ...given,
    classes,
    inputShape: given.inputShape ?? shapeFor(fits ?? nearest, given.stem, size),
  });
  try {
    onReport(
      await loadWeights(model, file, {
        ...(map === undefined ? {} : { map }),
        ...(head === undefined ? {} : { head }),
        ...(channels === undefined ? {} : { channels }),
        ...(preprocessing === undefined ? {} : { preprocessing }),
      }),
    );
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}

function shapeFor(found: Candidate | undefined, stem = found?.dimensions.stem, size?: number): ImageShape {
  const side = size ?? (stem === 'cifar' ? 32 : 224);
  return [side, side, found?.dimensions.channels ?? 3];
}

function print(report: LoadReport): void {
  console.info(reportLines(report).join('\n'));
}

/** Begins with the weights of a trained model: everything but the classifier, where the classes are others.
 *  The one place that opens weights for training: by a run's folder, a file of any format, a name or a URL. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Normalization } from '../data/dataset.ts';
import { describeModel } from '../models/saved-model.ts';
import { loadWeights } from '../weights/load.ts';
import { openPretrained } from '../weights/node/pretrained.ts';
import type { ResolveOptions } from '../weights/node/resolve.ts';
import { findWeights } from '../weights/registry/find.ts';
import { classesOf } from '../weights/registry/preprocessing.ts';
import { reportLines } from '../weights/report.ts';
import type { WeightFile } from '../weights/tensor.ts';

/** What became of the weights that a model began with. */
export interface Pretrained {
  /** What was loaded, left and missing, a line for each. */
  readonly lines: readonly string[];
  /** How the weights' own pictures were normalised; undefined where nobody says. */
  readonly normalization: Normalization | undefined;
}

const known = new WeakMap<LayersModel, Pretrained>();

/** What `takeWeights` found for a model; undefined where it began at random. */
export function pretrainedOf(model: LayersModel): Pretrained | undefined {
  return known.get(model);
}

export interface TakeOptions extends ResolveOptions {
  /** What the model's outputs stand for: a classifier of other classes is not taken, though it had as many. */
  readonly classes?: readonly string[];
}

/**
 * Sets a model's weights, but for a classifier of other classes.
 *
 * @param given the folder of a run or a saved model, a file of weights, a name of the registry, or a URL
 * @throws WeightsError where there are none, or they do not fit
 */
export async function takeWeights(
  model: LayersModel,
  given: string,
  { classes, ...options }: TakeOptions = {},
): Promise<Pretrained> {
  const { file, preprocessing } = await openPretrained(given, options);
  try {
    const theirs = await classesOfWeights(given, file);
    const others = classes !== undefined && theirs !== undefined && `${classes}` !== `${theirs}`;
    const report = await loadWeights(model, file, {
      channels: 'adapt',
      head: others ? 'keep' : 'auto',
      ...(preprocessing === undefined ? {} : { preprocessing }),
    });
    const taken = { lines: reportLines(report), normalization: report.preprocessing };
    known.set(model, taken);
    return taken;
  } finally {
    await file.close();
  }
}

/** Whether a path is a folder that `saveModel` or a run wrote. */
export function isSavedModel(path: string): boolean {
  return existsSync(join(path, 'residual.json')) || existsSync(join(path, 'run.json'));
}

/** The class names of some weights, where they are told: by a run, by the registry, or by the file itself. */
async function classesOfWeights(given: string, { metadata }: WeightFile): Promise<readonly string[] | undefined> {
  const entry = findWeights(given);
  if (entry !== undefined) return classesOf(entry);
  if (isSavedModel(given)) return (await describeModel(given)).info.classes;
  try {
    const { classes } = JSON.parse(metadata.residual ?? '{}') as { classes?: unknown };
    return Array.isArray(classes) ? classes.map(String) : undefined;
  } catch {
    return undefined; // Somebody else's metadata of that name.
  }
}

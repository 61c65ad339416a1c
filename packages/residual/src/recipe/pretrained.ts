/** Begins with the weights of a trained model: everything but the classifier, where the classes are others.
 *  The one place that opens weights for training: by a run's folder, a file of any format, a name or a URL. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Normalization } from '../data/dataset.ts';
import { ModelError } from '../models/errors.ts';
import { loadModel } from '../models/saved-model.ts';
import { loadWeights } from '../weights/load.ts';
import { type ResolveOptions, resolveWeights } from '../weights/node/resolve.ts';
import type { WeightsEntry } from '../weights/registry/entry.ts';
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

/**
 * Sets a model's weights.
 *
 * @param given the folder of a run or a saved model, a file of weights, a name of the registry, or a URL
 * @throws ModelError, WeightsError where there are none, or they do not fit but for the classifier
 */
export async function takeWeights(
  model: LayersModel,
  given: string,
  options: ResolveOptions = {},
): Promise<Pretrained> {
  const taken = isSavedModel(given) ? await fromSavedModel(model, given) : await fromFile(model, given, options);
  known.set(model, taken);
  return taken;
}

/** Whether a path is a folder that `saveModel` or a run wrote. */
export function isSavedModel(path: string): boolean {
  return existsSync(join(path, 'residual.json')) || existsSync(join(path, 'run.json'));
}

/**
 * Opens a file of weights by a path, a name of the registry or a URL; a download is kept, and is not repeated.
 *
 * @throws WeightsError
 */
export async function openPretrained(
  given: string,
  options: ResolveOptions = {},
): Promise<{ readonly file: WeightFile; readonly entry: WeightsEntry | undefined }> {
  const { path, entry } = await resolveWeights(given, options);
  const { openWeightsAt } = await import('../weights/node/open-path.ts');
  return { file: await openWeightsAt(path), entry };
}

async function fromFile(model: LayersModel, given: string, options: ResolveOptions): Promise<Pretrained> {
  const { file, entry } = await openPretrained(given, options);
  try {
    const report = await loadWeights(model, file, {
      channels: 'adapt',
      ...(entry === undefined ? {} : { preprocessing: entry.preprocessing }),
    });
    return { lines: reportLines(report), normalization: report.preprocessing };
  } finally {
    await file.close();
  }
}

/** Layer by layer, by their names. */
async function fromSavedModel(model: LayersModel, folder: string): Promise<Pretrained> {
  const { model: trained, info } = await loadModel(folder);
  try {
    const theirs = new Map(trained.layers.map((layer) => [layer.name, layer]));
    const last = model.layers.at(-1)?.name;
    const missing: string[] = [];
    let loaded = 0;
    for (const layer of model.layers) {
      const own = layer.getWeights();
      if (own.length === 0) continue;
      const found = theirs.get(layer.name)?.getWeights();
      theirs.delete(layer.name);
      const fits = found?.length === own.length && own.every(({ shape }, i) => `${shape}` === `${found[i]?.shape}`);
      if (fits && found !== undefined) {
        layer.setWeights(found);
        loaded += own.length;
      } else if (layer.name === last) {
        missing.push(`  missing   ${layer.name} keeps its own start: it ${difference(own, found)}`);
      } else {
        throw new ModelError(`${folder}: its layers do not fit ${model.name}: ${layer.name} ${difference(own, found)}`);
      }
    }
    const left = [...theirs.values()].filter(({ weights }) => weights.length > 0).map(({ name }) => name);
    const { mean, std } = info.preprocessing;
    return {
      lines: [
        `${folder}: ${loaded} weights of ${model.name} loaded`,
        ...missing,
        ...(left.length > 0 ? [`  left over ${left.join(', ')}`] : []),
      ],
      normalization: { mean, std },
    };
  } finally {
    trained.dispose();
  }
}

interface Shaped {
  readonly shape: readonly number[];
}

function difference(own: readonly Shaped[], theirs: readonly Shaped[] | undefined): string {
  if (theirs === undefined) return 'is not among them';
  const text = (weights: readonly Shaped[]) => weights.map(({ shape }) => `[${shape}]`).join(' ');
  return `has ${text(theirs)} there, needs ${text(own)}`;
}

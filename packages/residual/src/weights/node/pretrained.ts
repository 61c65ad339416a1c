/** Pretrained weights by a name of the registry, a URL or a path, in Node: the same functions as a page has for files that
 *  it holds (../page.ts), which download and open for themselves. */

import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { builder } from '../builder.ts';
import { type LoadOptions, type LoadReport, loadWeights as loadOpened } from '../load.ts';
import { knownPreprocessing } from '../preprocessing.ts';
import { type OpenedWeights, type PretrainedOptions, pretrainedFrom } from '../pretrained.ts';
import { preprocessingOf as published } from '../registry/preprocessing.ts';
import type { WeightFile } from '../tensor.ts';
import { openWeightsAt } from './open-path.ts';
import { type ResolveOptions, resolveWeights } from './resolve.ts';

/** A name of the registry (`timm/a1`), a URL, a path of a file or a folder (a run's too), or a file that is open. */
export type WeightsSource = string | WeightFile;

/**
 * Finds, downloads where needed, and opens weights, with what the registry or a run's folder knows of their pictures.
 *
 * @throws WeightsError where there are none, they cannot be had, or are in no known format
 */
export async function openPretrained(given: WeightsSource, options: ResolveOptions = {}): Promise<OpenedWeights> {
  if (typeof given !== 'string') return { file: given };
  const { path, entry } = await resolveWeights(given, options);
  const file = await openWeightsAt(path);
  if (entry !== undefined) return { file, preprocessing: published(entry), size: entry.preprocessing.size };
  const info = await runInfo(path);
  const preprocessing = knownPreprocessing(info?.preprocessing);
  const size = info?.preprocessing?.inputShape?.[0];
  return { file, ...(preprocessing === undefined ? {} : { preprocessing }), ...(size === undefined ? {} : { size }) };
}

interface RunInfo {
  readonly preprocessing?: { readonly inputShape?: readonly number[] };
}

/** A run's `residual.json`, where it is one: its folder, or the model in it. */
async function runInfo(path: string): Promise<RunInfo | undefined> {
  const isFolder = (await stat(path)).isDirectory();
  if (!isFolder && basename(path) !== 'model.json') return undefined;
  const folder = isFolder ? path : dirname(path);
  try {
    return JSON.parse(await readFile(join(folder, 'residual.json'), 'utf8')) as RunInfo;
  } catch {
    return undefined;
  }
}

/**
 * Sets a model's weights from a file of any origin and format; `given` may be a name of the registry, a URL or a path.
 *
 * @returns what was loaded, left over and missing; `reportLines` puts it into words
 * @throws WeightsError where there are none, or no map fits, with the nearest and the first mismatches
 * @example const report = await loadWeights(model, 'resnet18-f37072fd.pth');
 */
export async function loadWeights(
  model: LayersModel,
  given: WeightsSource,
  options: LoadOptions & ResolveOptions = {},
): Promise<LoadReport> {
  const { file, preprocessing } = await openPretrained(given, options);
  try {
    return await loadOpened(model, file, { ...(preprocessing === undefined ? {} : { preprocessing }), ...options });
  } finally {
    if (file !== given) await file.close();
  }
}

/**
 * Builds a network with pretrained weights.
 *
 * @param name e.g. `resnet18`
 * @param options `weights`, and what shall differ from the file, as `classes`
 * @throws WeightsError, ModelError
 * @example const model = await pretrained('resnet18', { weights: 'timm/a1', classes: 10 });
 */
export async function pretrained(name: string, options: PretrainedOptions<WeightsSource>): Promise<LayersModel> {
  const { weights, ...rest } = options;
  const opened = await openPretrained(weights);
  try {
    return await pretrainedFrom(name, opened, rest);
  } finally {
    if (opened.file !== weights) await opened.file.close();
  }
}

/**
 * ResNet-18: 11,689,512 trainable parameters at 1000 classes and 3 channels. With `weights` a promise of it.
 *
 * @example const model = await resnet18({ weights: 'torchvision', classes: 10 });
 */
export const resnet18 = /* @__PURE__ */ builder('resnet18', pretrained);

/** ResNet-34: 21,797,672 trainable parameters at 1000 classes and 3 channels. With `weights` a promise of it. */
export const resnet34 = /* @__PURE__ */ builder('resnet34', pretrained);

/** ResNet-50 (v1.5): 25,557,032 trainable parameters at 1000 classes and 3 channels. With `weights` a promise of it. */
export const resnet50 = /* @__PURE__ */ builder('resnet50', pretrained);

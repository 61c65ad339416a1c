/** Sets a model's weights from a file of any origin: finds the map that fits, converts one tensor at a time, and gives
 *  account of each one. Nothing is skipped silently. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type KnownPreprocessing, setPreprocessing } from '../models/preprocessing.ts';
import { withParts } from './architectures.ts';
import { type FileView, viewOf } from './assign.ts';
import { type ChooseOptions, chooseFit } from './choose.ts';
import { WeightsError } from './errors.ts';
import type { Fit, Unfit } from './fit.ts';
import { type Needs, needsOf, variablesOf, weightedLayers } from './layers.ts';
import type { WeightMapName } from './maps/index.ts';
import { preprocessingIn } from './preprocessing.ts';
import type { StoredType, WeightFile } from './tensor.ts';

export interface LoadOptions extends ChooseOptions {
  /** After each weight that is set. */
  readonly onProgress?: (done: number, total: number) => void;
  /** How pictures are to be prepared, where that is known better than from the file and its map. */
  readonly preprocessing?: KnownPreprocessing;
}

/** A tensor of the file. */
export interface TensorNote {
  readonly name: string;
  readonly type: StoredType;
  readonly shape: readonly number[];
}

export interface LoadReport {
  /** The file's name, and the model's. */
  readonly file: string;
  readonly model: string;
  readonly map: WeightMapName;
  readonly mapTitle: string;
  /** What stands before the file's names, as `module.`; empty for nothing. */
  readonly prefix: string;
  /** Weights of the model that are from the file, by the model's names, e.g. `conv1/kernel`. */
  readonly loaded: readonly { readonly weight: string; readonly from: string }[];
  /** What the file does not have and is made so that the results are the same. */
  readonly made: readonly string[];
  /** What was changed on the way for the same reason. */
  readonly adjusted: readonly string[];
  /** Weights that keep the model's start: the classifier's, where it differs. */
  readonly missing: readonly Unfit[];
  /** Tensors that no weight came from. */
  readonly leftOver: readonly TensorNote[];
  /** Those among the file's that are known to be of no use, as `num_batches_tracked`. */
  readonly ignored: readonly TensorNote[];
  /** What the reader did not take out of the file, in its words, e.g. an optimizer's state. */
  readonly unread: readonly string[];
  /** Why the results will differ from the origin's all the same. */
  readonly cautions: readonly string[];
  /** How pictures are to be prepared, where that is known; it is noted on the model (`preprocessingOf`). */
  readonly preprocessing: KnownPreprocessing | undefined;
}

/**
 * Copies the weights of `file` into `model`.
 *
 * The shapes of all weights are checked before the first is set. The file stays open.
 *
 * @param options.map whose names the file has; default: whichever fit best
 * @param options.head what becomes of the classifier (`auto`, `keep`, `require`); default `auto`
 * @param options.channels `adapt` for pictures with another number of channels; default `require`
 * @returns what was loaded, left over and missing; `reportLines` puts it into words
 * @throws WeightsError where no map fits, with the nearest and the first mismatches, or the file is damaged
 */
export async function loadWeights(
  model: LayersModel,
  file: WeightFile,
  options: LoadOptions = {},
): Promise<LoadReport> {
  const needs = withParts(needsOf(model));
  const view = viewOf(file);
  const fit = chooseFit(view, needs, options);
  await setWeights(model, fit, options.onProgress);
  const report = reportOf(view, needs, fit, options);
  if (report.preprocessing !== undefined) setPreprocessing(model, report.preprocessing);
  return report;
}

async function setWeights(model: LayersModel, { settled }: Fit, onProgress: LoadOptions['onProgress']): Promise<void> {
  const variables = new Map(weightedLayers(model).map((layer) => [layer.name, variablesOf(layer)]));
  for (const [i, { layer, role, shape, from, read }] of settled.entries()) {
    const variable = variables.get(layer)?.get(role);
    if (variable === undefined) throw new Error(`internal: ${layer} has no ${role}`);
    const values = await read();
    const size = shape.reduce((product, n) => product * n, 1);
    if (values.length !== size) {
      throw new WeightsError(`${from?.name}: must have ${size} values for [${shape.join(', ')}], has ${values.length}`);
    }
    tf.tidy(() => {
      variable.write(tf.tensor(values, [...shape], 'float32'));
    });
    onProgress?.(i + 1, settled.length);
  }
}

/** The account of a fit, before or after its weights are set. */
export function reportOf(view: FileView, needs: Needs, fit: Fit, options: LoadOptions = {}): LoadReport {
  const { file } = view;
  const { map, settled, prefix } = fit;
  const used = new Set(settled.map(({ from }) => from?.name));
  for (const name of fit.absorbed) used.add(name);
  const notes = file.tensors
    .filter(({ name }) => !used.has(name))
    .map(({ name, type, shape }): TensorNote => ({ name, type, shape }));
  const known = ({ name }: TensorNote) =>
    map.ignored.some((end) => name === end || name.endsWith(`.${end}`) || name.split('/').includes(end));
  return {
    file: file.name,
    model: needs.name,
    map: map.name as WeightMapName,
    mapTitle: map.title,
    prefix,
    loaded: settled.flatMap(({ layer, role, from }) =>
      from === undefined ? [] : [{ weight: `${layer}/${role}`, from: from.name }],
    ),
    made: fit.made,
    adjusted: fit.adjusted,
    missing: fit.kept,
    leftOver: notes.filter((note) => !known(note)),
    ignored: notes.filter(known),
    unread: Object.entries(file.metadata).flatMap(([key, value]) =>
      key === 'left out'
        ? [value]
        : value.startsWith('left out')
          ? [`${key} (${value.replace(/^left out,? ?/, '')})`]
          : [],
    ),
    cautions: cautionsOf(view, needs, fit),
    preprocessing: options.preprocessing ?? preprocessingIn(file, fit),
  };
}

function cautionsOf(view: FileView, needs: Needs, { map, otherPrefixes, prefix }: Fit): readonly string[] {
  const cautions: string[] = [];
  if (otherPrefixes.length > 0) {
    cautions.push(
      `the file holds several networks: taken is ${prefix}*, not ${otherPrefixes.map((one) => `${one}*`).join(', ')}`,
    );
  }
  const { padding } = needs;
  const origin = view.padding ?? map.padding;
  if (origin !== 'model' && padding !== undefined && padding !== origin) {
    const [theirs, ours] = origin === 'same' ? ['SAME', 'alike on all sides'] : ['alike on all sides', 'SAME'];
    const convention = origin === 'same' ? 'keras' : 'torchvision';
    cautions.push(
      `strided convolutions pad ${theirs} in the file's network and ${ours} here, which shifts their results: build the ` +
        `model with convention: '${convention}' to compute what the origin computes`,
    );
  }
  if (map.caution !== undefined && needs.layers.some(({ part }) => part?.endsWith('.conv3')))
    cautions.push(map.caution.text);
  return cautions;
}

/** A TF.js graph model as one of the formats of `residual export`: what a page loads to predict. */

import { checkChoice, type ExportFormat, floatPrecisions, folderFor, plainInputs } from '../format.ts';
import { inferenceGraph } from '../graph/from-model.ts';
import { openGraph } from '../graph/run.ts';
import { formatOfModel } from './model-json.ts';
import { readTfjsGraph } from './read.ts';
import { openGraphModel } from './runtime.ts';
import type { WeightStorage } from './stored-weights.ts';
import { writeTfjs } from './write.ts';

export const storages: Readonly<Record<(typeof floatPrecisions)[number], WeightStorage>> = {
  float32: 'float32',
  float16: 'float16',
  dynamic: 'uint8',
};

export const tfjsFormat: ExportFormat = {
  name: 'tfjs',
  title: 'TF.js graph model',
  precisions: floatPrecisions,
  nearest: { int8: 'dynamic' },
  layouts: ['NHWC'],
  inputs: plainInputs,
  target: (precision) => folderFor('tfjs', precision),
  async write({ model, info, precision, softmax, input, version }) {
    checkChoice('TF.js graph model: precision', floatPrecisions, precision);
    checkChoice('TF.js graph model: input', plainInputs, input);
    const graph = await inferenceGraph(model, info, { softmax, input: input === 'uint8' ? 'bytes' : 'normalised' });
    const type = input === 'uint8' ? 'int32' : 'float32';
    const files = writeTfjs(graph, { weights: storages[precision], type, version });
    return files.map(({ path, bytes }) => ({ path: `${tfjsFormat.target(precision)}/${path}`, bytes }));
  },
  recognises: (files) => formatOfModel(files) === 'graph-model',
  read: async (files) => openGraph(await readTfjsGraph(files)),
  open: openGraphModel,
};

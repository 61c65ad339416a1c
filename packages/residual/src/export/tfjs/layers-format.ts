/** A TF.js layers model as one of the formats of `residual export`: what a page loads to go on training. */

import * as tfl from '@tensorflow/tfjs-layers';
import '../../models/batch-normalization.ts'; // so that loading makes our layers
import { checkChoice, type ExportFormat, floatPrecisions, folderFor } from '../format.ts';
import { inferenceGraph } from '../graph/from-model.ts';
import { openGraph } from '../graph/run.ts';
import { storages } from './format.ts';
import { writeTfjsLayers } from './layers-write.ts';
import { formatOfModel, handlerFor, infoOf, modelFiles } from './model-json.ts';
import { openLayersModel } from './runtime.ts';

/** The caller normalises; `tfjs` files take bytes. */
const inputs = ['float32'] as const;

export const tfjsLayersFormat: ExportFormat = {
  name: 'tfjs-layers',
  title: 'TF.js layers model',
  precisions: floatPrecisions,
  nearest: { int8: 'dynamic' },
  layouts: ['NHWC'],
  inputs,
  target: (precision) => folderFor('tfjs-layers', precision),
  async write({ model, info, precision, softmax, input, version }) {
    checkChoice('TF.js layers model: precision', floatPrecisions, precision);
    checkChoice('TF.js layers model: input', inputs, input);
    const files = await writeTfjsLayers(model, info, { weights: storages[precision], precision, softmax, version });
    return files.map(({ path, bytes }) => ({ path: `${tfjsLayersFormat.target(precision)}/${path}`, bytes }));
  },
  recognises: (files) => formatOfModel(files) === 'layers-model',
  async read(given) {
    const files = modelFiles(given, 'layers-model');
    const model = await tfl.loadLayersModel(handlerFor(files));
    try {
      return openGraph(await inferenceGraph(model, infoOf(files)));
    } finally {
      model.dispose();
    }
  },
  open: openLayersModel,
};

/** A TF.js layers model as one of the formats of `residual export`: what a page loads to go on training. */

import * as tfl from '@tensorflow/tfjs-layers';
import { ModelError } from '../../models/errors.ts';
import '../../models/batch-normalization.ts'; // so that loading makes our layers
import { type ExportFormat, folderFor } from '../format.ts';
import { inferenceGraph } from '../graph/from-model.ts';
import { openGraph } from '../graph/run.ts';
import { storages } from './format.ts';
import { writeTfjsLayers } from './layers-write.ts';
import { formatOfModel, handlerFor, infoOf, modelFiles } from './model-json.ts';
import { openLayersModel } from './runtime.ts';

export const tfjsLayersFormat: ExportFormat = {
  name: 'tfjs-layers',
  title: 'TF.js layers model',
  precisions: ['float32', 'float16', 'dynamic'],
  nearest: { int8: 'dynamic' },
  layouts: ['NHWC'],
  inputs: ['float32'],
  target: (precision) => folderFor('tfjs-layers', precision),
  async write({ model, info, precision, softmax, input, version }) {
    if (input !== 'float32') {
      throw new ModelError('a TF.js layers model takes floats that the caller normalises; tfjs files take bytes');
    }
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

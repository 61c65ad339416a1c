/** A TensorFlow SavedModel as one of the formats of `residual export`. */

import * as tf from '@tensorflow/tfjs-core';
import { checkChoice, type ExportFormat, floatPrecisions, folderFor, plainInputs } from '../format.ts';
import { inferenceGraph } from '../graph/from-model.ts';
import { openGraph } from '../graph/run.ts';
import { filesBeside } from '../tensorflow/files.ts';
import { readSavedModel } from './read.ts';
import type { VariableStorage } from './variables.ts';
import { MAIN, writeSavedModel } from './write.ts';

/** Integers are kept, and widened to compute. */
const storages: Readonly<Record<(typeof floatPrecisions)[number], VariableStorage>> = {
  float32: 'float32',
  float16: 'float16',
  dynamic: 'int8',
};

export const savedModelFormat: ExportFormat = {
  name: 'saved-model',
  title: 'SavedModel',
  precisions: floatPrecisions,
  nearest: { int8: 'dynamic' },
  layouts: ['NHWC'],
  inputs: plainInputs,
  target: (precision) => folderFor('saved-model', precision),
  async write({ model, info, precision, softmax, input }) {
    checkChoice('SavedModel: precision', floatPrecisions, precision);
    checkChoice('SavedModel: input', plainInputs, input);
    const graph = await inferenceGraph(model, info, { softmax, input: input === 'uint8' ? 'bytes' : 'normalised' });
    const files = writeSavedModel(graph, { weights: storages[precision], type: input });
    return files.map(({ path, bytes }) => ({ path: `${savedModelFormat.target(precision)}/${path}`, bytes }));
  },
  recognises: (files) => filesBeside(MAIN, files) !== undefined,
  read: async (files) => openGraph((await readSavedModel(files)).graph),
  async open(files) {
    const { graph, info, input } = await readSavedModel(files);
    const running = openGraph(graph);
    return {
      info,
      // TensorFlow itself has no runtime for JavaScript that comes without a native library.
      runtime: `own reader, ${tf.getBackend()}`,
      input,
      async run(images) {
        const output = (await running.run(images)).get(graph.output);
        if (!output) throw new Error('internal: the graph gave nothing');
        return output;
      },
      close: async () => running.dispose(),
    };
  },
};

/** What `residual predict` is told to use: a run, or a file that `residual export` wrote, which our own engine runs too. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import { softmaxRows } from '../export/measure.ts';
import type { ModelInfo } from '../models/info.ts';
import { CommandError } from './command.ts';
import { formatOf, isExport, readExport } from './exported-files.ts';
import { loadRun } from './load-run.ts';
import type { Classifier } from './predict-files.ts';

export interface LoadedClassifier {
  readonly model: LayersModel | Classifier;
  readonly info: Pick<ModelInfo, 'classes' | 'preprocessing'>;
  dispose(): void;
}

/**
 * @param typed a run's folder or name, a folder with a saved model, or an exported file or folder
 * @throws CommandError, ModelError
 */
export async function loadClassifier(typed: string): Promise<LoadedClassifier> {
  if (!(await isExport(typed))) {
    const { model, info } = await loadRun(typed);
    return { model, info, dispose: () => model.dispose() };
  }
  const files = await readExport(typed);
  const format = formatOf(files, typed);
  if (!format.read) throw new CommandError(`${typed}: ${format.title} files are not run by our own engine`);
  const running = await format.read(files);
  const { graph } = running;
  const model: Classifier = {
    range: graph.input.range,
    async classify(images) {
      const outputs = (await running.run(images)).get(graph.output) ?? new Float32Array();
      const { length } = graph.classes;
      const probabilities = graph.gives === 'logits' ? softmaxRows(outputs, length) : outputs;
      return Array.from({ length: outputs.length / length }, (_, i) =>
        probabilities.slice(i * length, (i + 1) * length),
      );
    },
  };
  return { model, info: graph, dispose: () => running.dispose() };
}

/** The work of `residual predict`: pictures in, their most probable classes out. */

import { startBackend } from './backend.ts';
import { UsageError, type Values } from './command.ts';
import { heatMapWriter } from './heat-maps.ts';
import { loadClassifier } from './load-classifier.ts';
import type { predictOptions } from './predict.ts';
import { predictFiles } from './predict-files.ts';
import { predictionLines, ranked } from './prediction-text.ts';
import { styleOf } from './style.ts';

export async function predict(positionals: readonly string[], values: Values<typeof predictOptions>): Promise<number> {
  const [typed = '', ...files] = positionals;
  if (values.class !== undefined && values.heatmap === undefined) {
    throw new UsageError('--class says what heat maps explain', 'add --heatmap DIR');
  }
  await startBackend(values);
  const { model, info, dispose } = await loadClassifier(typed);
  const write =
    values.heatmap === undefined ? undefined : heatMapWriter(typed, { model, info }, values.heatmap, values.class);
  const results = await predictFiles(model, info, files);
  const top = Math.min(values.top ?? 5, info.classes.length);
  const style = styleOf(process.stdout);
  const errors = styleOf(process.stderr);
  let failed = 0;
  const objects: object[] = [];
  for (const result of results) {
    if ('problem' in result) {
      failed++;
      objects.push({ file: result.file, error: result.problem });
      process.stderr.write(`${errors.red('error:')} ${result.problem}\n`);
      continue;
    }
    const { file, probabilities } = result;
    const heatmap = await write?.(file);
    objects.push({
      file,
      ...(heatmap && { heatmap }),
      predictions: ranked(probabilities, info.classes, top).map(({ name, probability }) => ({
        class: name,
        probability,
      })),
    });
    if (values.json !== true) {
      const note = heatmap === undefined ? '' : `${heatmap.file} shows what speaks for ${heatmap.class}`;
      const lines = predictionLines(file, probabilities, info.classes, top, style, note);
      process.stdout.write(`${lines.join('\n')}\n`);
    }
  }
  dispose();
  if (values.json === true) process.stdout.write(`${JSON.stringify({ predictions: objects }, null, 2)}\n`);
  return failed > 0 ? 1 : 0;
}

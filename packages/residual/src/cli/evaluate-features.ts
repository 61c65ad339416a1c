/** The work of `residual evaluate --knn` and `--probe`: what a network's features are worth on some data, whose classes
 *  need not be the network's own. */

import { closeSplits, type Splits } from '../data/dataset.ts';
import { knn } from '../evaluate/knn.ts';
import { linearProbe } from '../evaluate/linear-probe.ts';
import { count, percent } from '../evaluate/report-format.ts';
import { type Scores, scoresOf } from '../evaluate/scores.ts';
import { extractFeatures, type Features } from '../train/features/extract.ts';
import { CommandError } from './command.ts';
import type { EvaluateValues } from './evaluate-run.ts';
import type { SplitName } from './evaluation-data.ts';
import { liveWork } from './live-work.ts';
import type { LoadedRun } from './load-run.ts';
import { styleOf } from './style.ts';

export async function evaluateFeatures(
  { folder, model, info }: LoadedRun,
  splits: Splits,
  split: SplitName,
  values: EvaluateValues,
): Promise<number> {
  const asked = splits[split];
  if (split === 'train' || asked === undefined) {
    throw new CommandError(
      'the images to be told apart must not be those that are known',
      'name others: --split validation',
    );
  }
  return liveWork(
    values,
    async ({ signal, show, clear }) => {
      const featuresOf = (dataset: Splits['train'], what: string): Promise<Features> =>
        extractFeatures(model, dataset, {
          preprocessing: info.preprocessing,
          batchSize: values.batch ?? 64,
          signal,
          onProgress: (done, total) => show(() => `features of ${count(done)} of ${count(total)} ${what} images`),
        });
      const known = await featuresOf(splits.train, 'training');
      const given = await featuresOf(asked, split);
      clear();
      const classes = splits.classes.length;
      const results: (readonly [name: string, scores: Scores])[] = [];
      if (values.knn !== undefined) {
        results.push([`${values.knn}-NN`, scoresOf(await knn(known, given, { k: values.knn, classes }))]);
      }
      if (values.probe === true)
        results.push(['linear probe', scoresOf(linearProbe(known, { classes }).predict(given))]);
      if (values.json === true) {
        const scores = Object.fromEntries(
          results.map(([name, { accuracy, loss }]) => [name === 'linear probe' ? 'probe' : 'knn', { accuracy, loss }]),
        );
        const images = { known: known.labels.length, images: given.labels.length };
        process.stdout.write(`${JSON.stringify({ run: folder, split, ...images, dims: known.dims, ...scores })}\n`);
        return 0;
      }
      const style = styleOf(process.stdout);
      const of = `${known.dims} features, ${count(known.labels.length)} known and ${count(given.labels.length)} ${split} images of ${count(classes)} classes`;
      const lines = results.map(([name, { accuracy }]) => style.bold(`${name} ${split} accuracy ${percent(accuracy)}`));
      process.stdout.write(`${[style.dim(of), ...lines].join('\n')}\n`);
      return 0;
    },
    async () => {
      model.dispose();
      await closeSplits(splits);
    },
  );
}

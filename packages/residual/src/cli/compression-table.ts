/** What pruning or clustering was worth: the model before and after, measured on the same images, as a table. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Dataset } from '../data/dataset.ts';
import { evaluate } from '../evaluate/metrics.ts';
import { bytes, compact, count, percent } from '../evaluate/report-format.ts';
import { formats } from '../export/formats.ts';
import { answersOf, picturesOf, runningModel } from '../export/measure.ts';
import type { RunningFile } from '../export/runtime.ts';
import { ModelError } from '../models/errors.ts';
import type { ModelInfo } from '../models/info.ts';
import { packedSizeOf } from '../prune/packed-size.ts';
import { sparsityOf } from '../prune/sparsity.ts';
import { atMost } from './evaluation-data.ts';
import { layerCosts } from './layer-costs.ts';
import { version } from './program.ts';
import type { Style } from './style.ts';
import { tableLines } from './table.ts';

/** A model as it is before or after. */
export interface Measured {
  readonly parameters: number;
  /** Of these, those that are not 0. */
  readonly nonZero: number;
  readonly multiplyAdds: number;
  /** A fraction. */
  readonly accuracy: number;
  /** Of the weights, in bytes. */
  readonly size: number;
  /** The same after deflate. */
  readonly zipSize: number;
  /** Milliseconds for one picture, by runtime. */
  readonly milliseconds: Readonly<Record<string, number>>;
}

export interface Compression {
  readonly before: Measured;
  readonly after: Measured;
  /** What accuracy was measured on, e.g. `2,000 test images`. */
  readonly images: string;
}

interface Classifier {
  readonly model: LayersModel;
  readonly info: ModelInfo;
}

export interface CompareOptions {
  readonly signal?: AbortSignal;
  /** Of the backend, for the table. */
  readonly backend: string;
  /** Evaluations that have been made already. */
  readonly accuracyAfter: number;
  readonly onProgress?: (text: string) => void;
}

/** Measures both on a data set, and, where the network became smaller, in every runtime. */
export async function compare(
  before: Classifier,
  after: Classifier,
  dataset: Dataset,
  images: string,
  { signal, backend, accuracyAfter, onProgress = () => {} }: CompareOptions,
): Promise<Compression> {
  const { accuracy } = await evaluate(before.model, dataset, {
    preprocessing: before.info.preprocessing,
    ...(signal && { signal }),
    onProgress: (done, total) => onProgress(`evaluating the model before: ${count(done)} of ${count(total)}`),
  });
  const [first, second] = [await stateOf(before, accuracy), await stateOf(after, accuracyAfter)];
  const smaller = second.multiplyAdds < first.multiplyAdds;
  if (smaller) onProgress('timing both in every runtime');
  const times = smaller ? await timesOf(before, after, dataset, backend, signal) : {};
  const pick = (which: 0 | 1) => Object.fromEntries(Object.entries(times).map(([name, pair]) => [name, pair[which]]));
  return { before: { ...first, milliseconds: pick(0) }, after: { ...second, milliseconds: pick(1) }, images };
}

async function stateOf({ model }: Classifier, accuracy: number): Promise<Omit<Measured, 'milliseconds'>> {
  const parameters = model.countParams();
  const zeros = (await sparsityOf(model)).reduce((sum, kernel) => sum + kernel.zeros, 0);
  const multiplyAdds = layerCosts(model).reduce((sum, { macs }) => sum + macs, 0);
  const { bytes: size, packed: zipSize } = await packedSizeOf(model);
  return { parameters, nonZero: parameters - zeros, multiplyAdds, accuracy, size, zipSize };
}

type Pair = readonly [before: number, after: number];

/** Two rounds, one after the other, the better of each: what else the machine does is shared by both. */
const ROUNDS = 2;
const REPEATS = 25;

async function timesOf(
  before: Classifier,
  after: Classifier,
  dataset: Dataset,
  backend: string,
  signal: AbortSignal | undefined,
): Promise<Readonly<Record<string, Pair>>> {
  const picture = picturesOf(atMost(dataset, 1));
  const times: Record<string, Pair> = {};
  const measure = async (name: string, files: readonly [RunningFile, RunningFile]) => {
    const best: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (let round = 0; round < ROUNDS; round++) {
      for (const which of [0, 1] as const) {
        const options = { batchSize: 1, repeats: REPEATS, ...(signal && { signal }) };
        best[which] = Math.min(best[which], (await answersOf(files[which], picture, options)).latency);
      }
    }
    times[name] = best;
  };
  const own = (one: Classifier) => runningModel(one.model, one.info, backend);
  await measure(`residual, ${backend}`, [own(before), own(after)]);
  for (const name of ['tflite', 'onnx']) {
    const format = formats.find((one) => one.name === name);
    if (format === undefined) continue;
    const open = async ({ model, info }: Classifier) =>
      format.open(
        await format.write({ model, info, precision: 'float32', softmax: 'keep', input: 'float32', version }),
      );
    try {
      const files = [await open(before), await open(after)] as const;
      await measure(files[0].runtime, files);
      for (const file of files) await file.close();
    } catch (error) {
      // A runtime that is not installed, or a model that a format cannot hold.
      if (!(error instanceof ModelError)) throw error;
    }
  }
  return times;
}

/** The table. */
export function compressionLines({ before, after, images }: Compression, style: Style): string[] {
  const rows: string[][] = [];
  const row = (title: string, show: (value: number) => string, a: number, b: number, change: string) =>
    rows.push([title, show(a), show(b), change]);
  const part = (a: number, b: number) => (a === b ? '' : `${b < a ? '−' : '+'}${percent(Math.abs(1 - b / a))}`);
  row('parameters', count, before.parameters, after.parameters, part(before.parameters, after.parameters));
  row('  not zero', count, before.nonZero, after.nonZero, part(before.nonZero, after.nonZero));
  row('multiply-adds', compact, before.multiplyAdds, after.multiplyAdds, part(before.multiplyAdds, after.multiplyAdds));
  const points = 100 * (after.accuracy - before.accuracy);
  const gain = `${points < 0 ? '−' : '+'}${Math.abs(points).toFixed(2)} points`;
  row('accuracy', (value) => percent(value, 2), before.accuracy, after.accuracy, gain);
  row('weights', bytes, before.size, after.size, part(before.size, after.size));
  row('  zipped', bytes, before.zipSize, after.zipSize, part(before.zipSize, after.zipSize));
  for (const [runtime, ms] of Object.entries(before.milliseconds)) {
    const then = after.milliseconds[runtime] ?? Number.NaN;
    row(`per image, ${runtime}`, (value) => `${value.toPrecision(3)} ms`, ms, then, `${(ms / then).toFixed(2)} times`);
  }
  const head = [{ title: '' }, ...['before', 'after', 'change'].map((title) => ({ title, align: 'right' as const }))];
  return [...tableLines(head, rows, style), '', `accuracy measured on ${images}`];
}

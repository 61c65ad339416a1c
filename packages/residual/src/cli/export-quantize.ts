/** The options of `residual export` that say how integers are found, checked before anything is calibrated. */

import type { ExportRequest } from '../export/format.ts';
import type { InferenceGraph } from '../export/graph/graph.ts';
import { inferenceGraph } from '../export/graph/index.ts';
import type { ObserverName } from '../quantize/observers/names.ts';
import { UsageError, type Values } from './command.ts';
import type { exportOptions } from './export.ts';
import type { LoadedRun } from './load-run.ts';
import { nearest } from './nearest.ts';

type ExportValues = Values<typeof exportOptions>;

const ofIntegers = [
  'profile',
  'reduce-range',
  'edges',
  'observer',
  'equalize',
  'bias-correction',
  'keep-float',
  'sensitivity',
] as const;

/** @throws UsageError for options that no wanted file heeds */
export function checkIntegerOptions(values: ExportValues, kinds: readonly string[]): void {
  for (const name of ofIntegers) {
    if (values[name] === undefined || values[name] === false || kinds.includes('int8')) continue;
    throw new UsageError(`--${name} is for files of integers`, 'add --quantize int8');
  }
  for (const name of ['layers', 'sensitivity'] as const) {
    if (values[name] !== true || values.proof !== false) continue;
    throw new UsageError(`--${name} runs the files on images, which --no-proof forbids`);
  }
}

export function postTrainingOf(values: ExportValues): NonNullable<ExportRequest['postTraining']> {
  return {
    ...(values.observer === undefined ? {} : { observer: values.observer as ObserverName }),
    ...(values.equalize === undefined ? {} : { equalize: values.equalize }),
    ...(values['bias-correction'] === undefined ? {} : { biasCorrection: values['bias-correction'] }),
    ...(values['reduce-range'] === true ? { bits: 7 } : {}),
    keepFloat: keptFloat(values),
  };
}

/** The layers that `--keep-float` names: each option a list with commas between. */
function keptFloat(values: ExportValues): readonly string[] {
  const names = (values['keep-float'] ?? []).flatMap((list) => list.split(',')).map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ''))];
}

/** The model as its files have it. */
export async function graphOf({ model, info }: LoadedRun, values: ExportValues): Promise<InferenceGraph> {
  return inferenceGraph(model, info, {
    softmax: (values.softmax ?? 'keep') as ExportRequest['softmax'],
    input: (values.input ?? 'float32') !== 'float32' || values.edges === 'uint8' ? 'bytes' : 'normalised',
  });
}

/** @throws UsageError for layers that the network does not have, with the one that was probably meant */
export async function checkKeptFloat(run: LoadedRun, values: ExportValues): Promise<void> {
  const asked = keptFloat(values);
  if (asked.length === 0) return;
  const { name: network, nodes } = await graphOf(run, values);
  const names = nodes.map(({ name }) => name);
  for (const name of asked) {
    if (names.includes(name)) continue;
    const close = nearest(name, names);
    throw new UsageError(
      `--keep-float: ${network} has no layer ${name}`,
      close === undefined ? `its layers are ${names.join(', ')}` : `did you mean ${close}?`,
    );
  }
}

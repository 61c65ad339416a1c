/** The work of `residual weights inspect`: what is in a file of weights, and which network it fits. */

import { bytes, count } from '../evaluate/report-format.ts';
import { type Candidate, type Identity, identify } from '../weights/identify.ts';
import { openWeightsAt } from '../weights/node/open-path.ts';
import type { WeightFile, WeightTensor } from '../weights/tensor.ts';
import { UsageError } from './command.ts';
import { invocation, quoted } from './program.ts';
import { type Style, styleOf } from './style.ts';
import { tableLines } from './table.ts';
import type { WeightsValues } from './weights-run.ts';

export async function inspect([path, ...others]: readonly string[], values: WeightsValues): Promise<number> {
  if (path === undefined) throw new UsageError('residual weights inspect needs a FILE');
  if (others.length > 0)
    throw new UsageError(`residual weights inspect takes one FILE, received '${others[0]}' as well`);
  const file = await openWeightsAt(path);
  try {
    const identity = identify(file);
    const text =
      values.json === true
        ? JSON.stringify(inspection(file, identity), null, 2)
        : inspectionLines(file, identity, { path, all: values.all === true, style: styleOf(process.stdout) }).join(
            '\n',
          );
    process.stdout.write(`${text}\n`);
  } finally {
    await file.close();
  }
  return 0;
}

/** For `--json`. */
export function inspection(file: WeightFile, { fits, nearest, stranger }: Identity) {
  return {
    file: file.name,
    format: file.format,
    metadata: file.metadata,
    parameters: parametersOf(file.tensors),
    fits: fits ?? null,
    nearest: nearest ?? null,
    stranger: stranger ?? null,
    tensors: file.tensors.map(({ name, type, shape }) => ({ name, type, shape })),
  };
}

interface TextOptions {
  /** As it was typed. */
  readonly path: string;
  readonly all: boolean;
  readonly style: Style;
}

/** Of a long list the beginning and the end. */
const SHOWN = { first: 8, last: 4 } as const;

export function inspectionLines(file: WeightFile, identity: Identity, { path, all, style }: TextOptions): string[] {
  const { tensors, metadata } = file;
  const whole = all || tensors.length <= SHOWN.first + SHOWN.last + 1;
  const shown = whole ? tensors : [...tensors.slice(0, SHOWN.first), ...tensors.slice(-SHOWN.last)];
  const rows = shown.map(({ name, type, shape }) => [name, style.dim(type), shape.join(' × ')]);
  if (!whole) {
    const rest = tensors.length - shown.length;
    rows.splice(SHOWN.first, 0, [style.dim(`… ${rest} more; --all lists them`)]);
  }
  const table = tableLines([{ title: 'tensor' }, { title: 'type' }, { title: 'shape', align: 'right' }], rows, style);
  const row = (name: string, text: string) => `${style.dim(name.padEnd(12))}${text}`;
  const parameters = parametersOf(tensors);
  const notes = Object.entries(metadata).filter(([, value]) => value.length <= 100);
  return [
    ...table,
    '',
    row('file', `${style.bold(file.name)}, ${file.format}, ${count(tensors.length)} tensors (${typesOf(tensors)})`),
    row('values', `${count(parameters)}, ${bytes(parameters * 4)} as float32`),
    ...(notes.length === 0 ? [] : [row('says', notes.map(([key, value]) => `${key}: ${value}`).join(', '))]),
    ...identityLines(identity, path, row, style),
  ];
}

function identityLines(
  { fits, nearest, stranger }: Identity,
  path: string,
  row: (name: string, text: string) => string,
  style: Style,
): string[] {
  if (fits !== undefined) {
    const { architecture } = fits;
    return [
      row('names', namesText(fits)),
      row('fits', `${style.green(architecture)}: ${dimensionsText(fits)}`),
      row('go on with', `${invocation()} finetune DATA --weights ${quoted(path)}`),
    ];
  }
  const lines = [row('fits', style.yellow('none of our networks'))];
  if (stranger !== undefined) lines.push(row('is', stranger));
  if (nearest !== undefined) {
    const { taken, all, mismatches } = nearest;
    lines.push(
      row('nearest', `${nearest.architecture} in the names of ${nearest.mapTitle}: ${taken} of ${all} weights`),
    );
    const first = mismatches.slice(0, 5);
    for (const text of first) lines.push(row('', text));
    if (mismatches.length > first.length) lines.push(row('', `and ${mismatches.length - first.length} more`));
  }
  return lines;
}

function namesText({ mapTitle, prefix }: Candidate): string {
  return prefix === '' ? mapTitle : `${mapTitle}, behind ${prefix}`;
}

function dimensionsText({ dimensions, hasHead }: Candidate): string {
  const { width, channels, classes, stem, convention, preactivation } = dimensions;
  const head = hasHead ? `${count(classes)} classes` : 'no classifier';
  const colours = channels === 1 ? '1 channel' : `${channels} channels`;
  return `${head}, ${colours}, ${stem} stem, width ${width}, ${convention}'s details${preactivation ? ', pre-activation' : ''}`;
}

function parametersOf(tensors: readonly WeightTensor[]): number {
  return tensors.reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0);
}

/** `102 float32, 20 int64` */
function typesOf(tensors: readonly WeightTensor[]): string {
  const counts = new Map<string, number>();
  for (const { type } of tensors) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].map(([type, n]) => `${n} ${type}`).join(', ');
}

/** The work of `residual weights list`: the public weights that are known by name, and which are on this machine. */

import { bytes } from '../evaluate/report-format.ts';
import { weightsOnDisk } from '../weights/node/resolve.ts';
import { weightsEntries } from '../weights/registry/entries.ts';
import type { WeightsEntry } from '../weights/registry/entry.ts';
import { UsageError } from './command.ts';
import { invocation } from './program.ts';
import { type Style, styleOf } from './style.ts';
import { tableLines } from './table.ts';
import type { WeightsValues } from './weights-run.ts';

export async function list(names: readonly string[], values: WeightsValues): Promise<number> {
  if (names.length > 0) throw new UsageError(`residual weights list takes no argument '${names[0]}'`);
  const here = await Promise.all(weightsEntries.map((entry) => weightsOnDisk(entry, { quick: true })));
  if (values.json === true) {
    const rows = weightsEntries.map((entry, i) => ({ ...entry, path: here[i] ?? null }));
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return 0;
  }
  process.stdout.write(`${listLines(weightsEntries, here, styleOf(process.stdout)).join('\n')}\n`);
  return 0;
}

/** The table and its notes; `here` says where each file lies, if it does. */
export function listLines(
  entries: readonly WeightsEntry[],
  here: readonly (string | undefined)[],
  style: Style,
): string[] {
  const head = [
    { title: 'name' },
    { title: 'short' },
    { title: 'network' },
    { title: 'size', align: 'right' },
    { title: 'top-1', align: 'right' },
    { title: 'licence' },
    { title: 'here' },
  ] as const;
  const rows = entries.map((entry, i) => {
    const { name, aliases, architecture, preactivation, size, accuracy, licence } = entry;
    return [
      style.bold(name),
      aliases.find((alias) => alias.length < name.length) ?? '',
      preactivation ? `${architecture} v2` : architecture,
      size === undefined ? style.dim('?') : bytes(size),
      accuracy === undefined ? style.dim('?') : accuracy.top1.toFixed(1),
      licence,
      here[i] === undefined ? '' : style.green('yes'),
    ];
  });
  const residual = invocation();
  return [
    ...tableLines(head, rows, style),
    '',
    style.dim('top-1: percent right on ImageNet-1K, as published (fashion-mnist: on its own test images)'),
    style.dim('v2: a network of its own kind, which normalises before each convolution (preactivation)'),
    `${residual} weights fetch NAME downloads one`,
  ];
}

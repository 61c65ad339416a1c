/** The work of `residual weights fetch`: brings one file of weights to this machine and says where it lies. */

import { stat } from 'node:fs/promises';
import { bytes } from '../evaluate/report-format.ts';
import { UsageError } from './command.ts';
import { interruptedCode } from './interrupt.ts';
import { invocation, quoted } from './program.ts';
import { findWithProgress } from './weights-download.ts';
import type { WeightsValues } from './weights-run.ts';

const origins = {
  package: 'comes with residual',
  cache: 'was there already, and is whole',
  download: 'downloaded and checked',
  path: 'is a file of yours',
} as const;

export async function fetchWeights([given, ...others]: readonly string[], values: WeightsValues): Promise<number> {
  const residual = invocation();
  if (given === undefined) {
    throw new UsageError('residual weights fetch needs a NAME or a URL', `${residual} weights list shows the names`);
  }
  if (others.length > 0) {
    throw new UsageError(`residual weights fetch takes one NAME or URL, received '${others[0]}' as well`);
  }
  const found = await findWithProgress(given, `${residual} weights fetch ${quoted(given)}`);
  if (found === undefined) return interruptedCode;
  const { path, entry, from } = found;
  const { size } = await stat(path);
  if (values.json === true) {
    process.stdout.write(
      `${JSON.stringify({ name: entry?.name ?? null, path, from, size, entry: entry ?? null }, null, 2)}\n`,
    );
    return 0;
  }
  const unchecked = from === 'download' && entry === undefined;
  const how = unchecked ? 'downloaded; no checksum of it is known' : origins[from];
  process.stderr.write(
    `${entry?.name ?? given}: ${how}, ${bytes(size)}${entry === undefined ? '' : `, ${entry.licence}`}\n`,
  );
  // Alone on standard output, so that `$(residual weights fetch timm/a1)` is a path.
  process.stdout.write(`${path}\n`);
  return 0;
}

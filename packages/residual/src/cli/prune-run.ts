/** The work of `residual prune`: channels are taken away before the fine-tuning, single weights while it goes on. */

import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { batches } from '../data/batches.ts';
import { closeSplits } from '../data/dataset.ts';
import { compact, plural } from '../evaluate/report-format.ts';
import { saveModel } from '../models/saved-model.ts';
import { pruneChannels } from '../prune/channels.ts';
import { startBackend } from './backend.ts';
import { UsageError, type Values } from './command.ts';
import { compressionJob, folderFor } from './compression-run.ts';
import { atMost, checkClasses, openFor } from './evaluation-data.ts';
import { type LoadedRun, loadRun } from './load-run.ts';
import type { pruneOptions } from './prune.ts';
import { runJob } from './train-run.ts';

type PruneValues = Values<typeof pruneOptions>;

const IMAGES = 512;
const BATCH = 64;

export async function prune([typed = '']: readonly string[], values: PruneValues): Promise<number> {
  const sparsity = parsePart(values.sparsity ?? '50%');
  const structure = values.structure ?? 'channels';
  checkOptions(structure, values);
  await startBackend(values);
  const run = await loadRun(typed);
  const folder = await folderFor(run, 'pruned', values);
  try {
    const whole = structure === 'channels';
    const weights = whole ? await withoutChannels(run, sparsity, join(folder, 'start'), values) : run.folder;
    const exclude = (values['keep-dense'] ?? []).map((layer) => `${layer}/*`);
    const rule = whole ? {} : { prune: { sparsity: structure === '2:4' ? 0.5 : sparsity, structure, exclude } };
    const job = await compressionJob(run, weights, folder, rule as Parameters<typeof compressionJob>[3], values);
    run.model.dispose();
    return await runJob(job, values);
  } catch (error) {
    // What was never begun leaves nothing behind.
    if (!existsSync(join(folder, 'run.json'))) await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Writes the smaller network, from which the fine-tuning begins, and gives its folder. */
async function withoutChannels(run: LoadedRun, sparsity: number, start: string, values: PruneValues): Promise<string> {
  const { model, info } = run;
  const splits = await openFor(run, { ...values, known: true });
  try {
    checkClasses(info, splits.train);
    const seen = atMost(splits.train, values.images ?? IMAGES);
    const normalize = info.preprocessing;
    const pruned = await pruneChannels(model, {
      sparsity,
      ...(values.multiple === undefined ? {} : { multiple: values.multiple }),
      ...(values.importance === 'magnitude'
        ? {}
        : { batches: batches(seen, { batchSize: Math.min(BATCH, seen.size), normalize, corrupt: 'drop' }) }),
    });
    await saveModel(pruned.model, info, start);
    pruned.model.dispose();
    if (values.quiet !== true) {
      const gone = pruned.sets.reduce((sum, { before, after }) => sum + before - after, 0);
      const { before, after } = pruned.multiplyAdds;
      process.stderr.write(
        `took away ${plural(gone, 'channel')}: ${compact(before)} multiply-adds become ${compact(after)}\n` +
          `${pruned.sets.map(({ name, before, after }) => `  ${name} ${before} → ${after}`).join('\n')}\n`,
      );
    }
    return start;
  } finally {
    await closeSplits(splits);
  }
}

function checkOptions(structure: string, values: PruneValues): void {
  const ofChannels = (['importance', 'multiple', 'images'] as const).find((name) => values[name] !== undefined);
  if (structure !== 'channels' && ofChannels !== undefined) {
    throw new UsageError(`--${ofChannels} is about channels`, 'add --structure channels');
  }
  if (structure === 'channels' && values['keep-dense'] !== undefined) {
    throw new UsageError('--keep-dense is about single weights', 'add --structure unstructured or 2:4');
  }
  if (structure === '2:4' && values.sparsity !== undefined && parsePart(values.sparsity) !== 0.5) {
    throw new UsageError(`two of four are 50%, received --sparsity ${values.sparsity}`);
  }
}

/** `50%` or `0.5`. */
export function parsePart(text: string): number {
  const match = /^(\d*\.?\d+)(%?)$/.exec(text.trim());
  const number = match === null ? Number.NaN : Number(match[1]);
  // Rounded, for 99.9 / 100 is 0.9990000000000001.
  const part = match?.[2] === '%' ? Number((number / 100).toPrecision(12)) : number;
  if (part > 0 && part < 1) return part;
  throw new UsageError(`--sparsity must be a part, as 50% or 0.5, more than 0 and less than 100%, received '${text}'`);
}

/** The work of `residual cluster`: fine-tuning with weights that share their values. */

import type { clusterOptions } from './cluster.ts';
import type { Values } from './command.ts';
import { compressionJob, folderFor } from './compression-run.ts';
import { findRun } from './run-folders.ts';
import { readPlan } from './run-plan.ts';
import { runJob } from './train-run.ts';

type ClusterValues = Values<typeof clusterOptions>;

const EPOCHS = 3;

export async function cluster([typed = '']: readonly string[], values: ClusterValues): Promise<number> {
  const folder = await findRun(typed);
  const origin = { folder, plan: await readPlan(folder) };
  const { clusters = 16, init = 'kmeans++' } = values;
  const exclude = (values['keep-values'] ?? []).map((layer) => `${layer}/*`);
  const rule = { 'training.epochs': EPOCHS, cluster: { clusters, init, exclude } };
  const job = await compressionJob(origin, folder, await folderFor(origin, 'clustered', values), rule, values);
  return runJob(job, values);
}

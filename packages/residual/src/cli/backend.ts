/** Starts the TF.js backend that a command asked for.
 *  The only place of this package, beside examples, that names one. */

import * as tf from '@tensorflow/tfjs-core';
import { CommandError } from './command.ts';

export interface BackendChoice {
  readonly backend?: string;
  readonly threads?: number;
}

/** For people and reports, e.g. `jit, 2 threads`. */
export async function startBackend({ backend = 'jit', threads }: BackendChoice): Promise<string> {
  if (threads !== undefined) process.env.JIT_THREADS = String(threads);
  // Registers the cpu backend as well, which it falls back to; neither starts before it is used.
  await import('tfjs-backend-jit');
  if (!(await tf.setBackend(backend).catch(() => false))) {
    throw new CommandError(`the ${backend} backend does not start on this machine`, 'try --backend cpu');
  }
  if (backend === 'cpu') {
    // Else it prints an advertisement for another package at its first use.
    (tf.backend() as { firstUse?: boolean }).firstUse = false;
    return 'cpu (stock TF.js), 1 thread';
  }
  const { availableParallelism } = await import('node:os');
  const count = threads ?? (Number(process.env.JIT_THREADS) || Math.min(16, availableParallelism()));
  return `${backend}, ${count} ${count === 1 ? 'thread' : 'threads'}`;
}

/** The work of `residual weights inspect`: what is in a file of weights, and which network it fits. */

import { UsageError } from './command.ts';
import type { WeightsValues } from './weights-run.ts';

export async function inspect([file]: readonly string[], _values: WeightsValues): Promise<number> {
  if (file === undefined) throw new UsageError('residual weights inspect needs a FILE');
  throw new UsageError(`${file}: cannot be inspected yet`);
}

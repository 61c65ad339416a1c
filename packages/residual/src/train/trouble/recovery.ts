/** What is done about a setback: the learning rate or the batch that training goes on with, and the sentence that says so.
 *  Pure: the loop carries it out (train.ts). */

import { ModelError } from '../../models/errors.ts';
import type { Position } from '../checkpoint.ts';
import { needOf, nextMicroBatch } from './out-of-memory.ts';
import type { Setback } from './setback.ts';

/** Times that a run goes back with a tenth of the learning rate. */
export const MOST_SETBACKS = 3;

export interface Recovery {
  readonly rateScale: number;
  readonly microBatch?: number;
  /** What was seen, and what is done. */
  readonly message: string;
}

export interface Troubled {
  readonly position: Pick<Position, 'troubles' | 'rateScale' | 'microBatch' | 'learningRate'>;
  readonly batchSize: number;
  /** Whether batch normalisation learns in this model. */
  readonly normalises: boolean;
}

/**
 * @throws ModelError where training went back three times already
 * @throws The original error where a single image does not fit into memory
 */
export function planRecovery(setback: Setback, run: Troubled): Recovery {
  return setback.kind === 'outOfMemory' ? smallerBatch(setback, run) : lowerRate(setback, run);
}

/** The error for a setback that is not mended. */
export function setbackError({ kind, message, cause }: Setback, learningRate: number, setbacks = 0): unknown {
  if (kind === 'outOfMemory') return cause;
  const times = setbacks === 0 ? '' : `; going back ${setbacks} times with a tenth of it each did not help`;
  const advice =
    kind === 'dead'
      ? 'look at the initial weights and the range of the inputs'
      : 'look for values that are not finite in the data';
  return new ModelError(`${message}: lower the learning rate (it was ${short(learningRate)}), or ${advice}${times}`);
}

function lowerRate(setback: Setback, { position }: Troubled): Recovery {
  const { troubles, learningRate, microBatch } = position;
  const before = troubles.filter(({ trouble }) => trouble === 'diverged' || trouble === 'dead').length;
  if (before >= MOST_SETBACKS) throw setbackError(setback, learningRate, before);
  const rateScale = 1 / 10 ** (before + 1);
  return {
    rateScale,
    ...(microBatch === undefined ? {} : { microBatch }),
    message: `${setback.message}: back to the last good state, with ${short(rateScale)} of the planned learning rate (setback ${before + 1} of at most ${MOST_SETBACKS})`,
  };
}

function smallerBatch(setback: Setback, { position, batchSize, normalises }: Troubled): Recovery {
  const error = setback.cause as Error;
  const microBatch = nextMicroBatch(error, position.microBatch ?? batchSize, batchSize);
  if (microBatch === undefined) throw error;
  const need = needOf(error);
  const parts = Math.ceil(batchSize / microBatch);
  const seen = normalises
    ? `; batch normalisation sees ${microBatch} images at a time instead of ${batchSize}`
    : ', so the result is the same';
  return {
    rateScale: position.rateScale,
    microBatch,
    message: `${setback.message}${need === undefined ? '' : ` (${need})`}: each batch of ${batchSize} is computed in ${parts} parts of at most ${microBatch}, whose gradients are added up${seen}`,
  };
}

function short(value: number): string {
  return Number(value.toPrecision(3)).toString();
}

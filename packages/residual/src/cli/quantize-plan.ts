/** What a run that learns to compute in integers keeps in its plan, as data and in words. */

import { plural } from '../evaluate/report-format.ts';
import type { AwareSettings } from '../quantize/aware/index.ts';
import { quoted } from './program.ts';

export interface QuantizePlan extends Pick<AwareSettings, 'bits' | 'weightBits' | 'granularity' | 'scheme'> {
  /** Training images that the first ranges are taken from. */
  readonly calibrate: number;
  /** Epochs until ranges and batch normalisation stay as they are. */
  readonly freezeAfter: number;
}

/** For people, e.g. `8 bits, per-channel, scales fixed after 2 epochs`. */
export function quantizeText({ bits, weightBits, granularity, scheme, freezeAfter }: QuantizePlan): string {
  return [
    weightBits === bits ? `${bits} bits` : `values of ${bits} bits, weights of ${weightBits}`,
    granularity,
    ...(scheme === 'symmetric' ? ['symmetric'] : []),
    freezeAfter === 0 ? 'scales fixed from the start' : `scales fixed after ${plural(freezeAfter, 'epoch')}`,
  ].join(', ');
}

/** The words of the command that makes the same run again, but for its recipe. */
export function quantizeCommandOf(plan: QuantizePlan, weights: string): string[] {
  const { bits, weightBits, granularity, scheme, calibrate, freezeAfter } = plan;
  return [
    ...['quantize', quoted(weights), '--bits', String(bits), '--weight-bits', String(weightBits)],
    ...['--scales', granularity, '--scheme', scheme],
    ...['--calibrate', String(calibrate), '--freeze-after', String(freezeAfter)],
  ];
}

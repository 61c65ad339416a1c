/** What can be chosen for quantization-aware training, with its defaults and limits. */

import { ModelError } from '../../models/errors.ts';
import type { Granularity } from '../weights.ts';
import type { ValueGrid } from './rounding.ts';

export interface AwareOptions {
  /** Of weights and of values, 2 to 8. Default 8. Runtimes compute with 8: fewer serve experiments. */
  readonly bits?: number;
  /** Of weights alone. Default `bits`. */
  readonly weightBits?: number;
  /** A scale for each output channel of the weights, or one for all. Default `per-channel`. */
  readonly granularity?: Granularity;
  /** Where the integers of a value begin; see `ActivationOptions`. Default `asymmetric`. */
  readonly scheme?: ValueGrid['scheme'];
  /** What the range of a value keeps of itself at each step; the rest comes from the batch. Default 0.99. */
  readonly rangeDecay?: number;
  /** Names of graph nodes that stay in floats. */
  readonly keepFloat?: Iterable<string>;
}

/** The options with nothing left open, as plain data. */
export interface AwareSettings {
  readonly bits: number;
  readonly weightBits: number;
  readonly granularity: Granularity;
  readonly scheme: ValueGrid['scheme'];
  readonly rangeDecay: number;
  readonly keepFloat: readonly string[];
}

/** @throws ModelError for impossible values */
export function awareSettings(options: AwareOptions): AwareSettings {
  const { bits = 8, weightBits = bits, rangeDecay = 0.99 } = options;
  const { granularity = 'per-channel', scheme = 'asymmetric' } = options;
  for (const [name, value] of Object.entries({ bits, weightBits })) {
    check(Number.isInteger(value) && value >= 2 && value <= 8, `${name} must be a whole number from 2 to 8`, value);
  }
  const granularities = ['per-channel', 'per-tensor'];
  check(granularities.includes(granularity), `granularity must be ${granularities.join(' or ')}`, granularity);
  const schemes = ['asymmetric', 'symmetric'];
  check(schemes.includes(scheme), `scheme must be ${schemes.join(' or ')}`, scheme);
  check(rangeDecay >= 0 && rangeDecay < 1, 'rangeDecay must be at least 0 and less than 1', rangeDecay);
  return { bits, weightBits, granularity, scheme, rangeDecay, keepFloat: [...(options.keepFloat ?? [])] };
}

function check(ok: boolean, rule: string, value: unknown): void {
  if (!ok) throw new ModelError(`quantization-aware training: ${rule}, received ${JSON.stringify(value)}`);
}

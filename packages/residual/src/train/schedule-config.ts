/** Schedules from their data: what an optimizer's `getConfig` or a recipe says, made into the schedule again. */

import { ModelError } from '../models/errors.ts';
import { type PlateauOptions, reduceOnPlateau } from './plateau.ts';
import type { Schedule, ScheduleConfig, ScheduleName } from './schedule.ts';
import * as schedules from './schedules.ts';

/** A schedule as data: its name and its values, side by side. */
export type ScheduleData = ScheduleConfig & { readonly name: ScheduleName };

type Values = Readonly<Record<string, number>>;

const MAKE: Readonly<Record<ScheduleName, (config: ScheduleConfig) => Schedule>> = {
  constant: (c) => schedules.constant((c as Values).learningRate ?? Number.NaN),
  cosineDecay: (c) => schedules.cosineDecay(...two(c, 'initial', 'steps'), c),
  cosineDecayRestarts: (c) => schedules.cosineDecayRestarts(...two(c, 'initial', 'firstSteps'), c),
  piecewiseConstant: (c) => schedules.piecewiseConstant(list(c.boundaries), list(c.values)),
  exponentialDecay: (c) =>
    schedules.exponentialDecay(...two(c, 'initial', 'steps'), (c as Values).rate ?? Number.NaN, c),
  polynomialDecay: (c) => schedules.polynomialDecay(...two(c, 'initial', 'steps'), c),
  oneCycle: (c) => schedules.oneCycle(...two(c, 'highest', 'steps'), c),
  exponentialRange: (c) => schedules.exponentialRange(...two(c, 'low', 'high'), (c as Values).steps ?? Number.NaN),
  reduceOnPlateau: (c) => reduceOnPlateau((c as Values).initial ?? Number.NaN, c as PlateauOptions),
};

export const scheduleNames = Object.keys(MAKE) as readonly ScheduleName[];

/** A schedule as data, for JSON. */
export function scheduleToData({ name, config }: Schedule): ScheduleData {
  return { name, ...config };
}

/**
 * The schedule that `scheduleToData` described.
 *
 * @throws ModelError for an unknown name or impossible values
 */
export function scheduleFromData(data: unknown): Schedule {
  const { name, ...config } = (data ?? {}) as ScheduleData;
  const make = Object.hasOwn(MAKE, name) ? MAKE[name] : undefined;
  if (!make) throw new ModelError(`no schedule is called '${name}'; there are ${scheduleNames.join(', ')}`);
  return make(config as ScheduleConfig);
}

function two(config: ScheduleConfig, first: string, second: string): [number, number] {
  const values = config as Values;
  return [values[first] ?? Number.NaN, values[second] ?? Number.NaN];
}

function list(value: ScheduleConfig[string] | undefined): readonly number[] {
  return Array.isArray(value) ? value : [];
}

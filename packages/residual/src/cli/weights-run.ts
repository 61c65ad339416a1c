/** The work of `residual weights`: finds the action and hands over. */

import { UsageError, type Values } from './command.ts';
import { nearest } from './nearest.ts';
import type { weightsOptions } from './weights.ts';

export type WeightsValues = Values<typeof weightsOptions>;

type Action = (names: readonly string[], values: WeightsValues) => Promise<number>;

/** Each is loaded when it is asked for. */
const actions: Readonly<Record<string, () => Promise<Action>>> = {
  list: async () => (await import('./weights-list.ts')).list,
  fetch: async () => (await import('./weights-fetch.ts')).fetchWeights,
  inspect: async () => (await import('./weights-inspect.ts')).inspect,
  convert: async () => (await import('./weights-convert.ts')).convert,
};

export async function weights([action = '', ...names]: readonly string[], values: WeightsValues): Promise<number> {
  const load = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (load === undefined) {
    const close = nearest(action, Object.keys(actions));
    throw new UsageError(
      `residual weights takes ${Object.keys(actions).join(', ')}, received '${action}'`,
      close === undefined ? undefined : `did you mean residual weights ${close}?`,
    );
  }
  return (await load())(names, values);
}

/** An entry by its name or one of its short names. */

import { nearest } from '../../cli/nearest.ts';
import { weightsEntries } from './entries.ts';
import type { WeightsEntry } from './entry.ts';

/** The entry of that name, if there is one. Names are compared without regard to case. */
export function findWeights(name: string): WeightsEntry | undefined {
  const wanted = name.toLowerCase();
  return weightsEntries.find((entry) => [entry.name, ...entry.aliases].some((one) => one.toLowerCase() === wanted));
}

/** Every name that `findWeights` knows. */
export function weightsNames(): string[] {
  return weightsEntries.flatMap(({ name, aliases }) => [name, ...aliases]);
}

/** The name that a mistyped one was probably meant to be: by its spelling, or by a part of it (`resnet18.a1`, `a1`). */
export function nearestWeights(name: string): string | undefined {
  const names = weightsNames();
  const wanted = name.toLowerCase();
  const inside = names.filter((one) => one.includes(wanted));
  return nearest(name, names) ?? (wanted.length >= 2 && inside.length === 1 ? inside[0] : undefined);
}

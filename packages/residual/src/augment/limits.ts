/** The checks that every augmentation's options go through, so that their errors read alike.
 *  Each returns the value it was given. */
import { DataError } from '../data/errors.ts';

/** A finite number from `least` to `most`. */
export function between(transform: string, option: string, value: number, least: number, most = Infinity): number {
  if (typeof value !== 'number' || !(value >= least && value <= most) || !Number.isFinite(value)) {
    throw new DataError(`${transform}: ${option} must be ${span(least, most)}, received ${shown(value)}`);
  }
  return value;
}

/** A whole number from `least` to `most`. */
export function whole(transform: string, option: string, value: number, least: number, most = Infinity): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new DataError(
      `${transform}: ${option} must be a whole number ${span(least, most)}, received ${shown(value)}`,
    );
  }
  return value;
}

/** Two numbers from `least` to `most`, the smaller first. */
export function range(
  transform: string,
  option: string,
  value: readonly [number, number],
  least: number,
  most = Infinity,
): readonly [number, number] {
  const [low, high, ...rest] = Array.isArray(value) ? value : [Number.NaN, Number.NaN];
  if (rest.length > 0 || !(low >= least && low <= high && high <= most) || !Number.isFinite(high)) {
    throw new DataError(
      `${transform}: ${option} must be two numbers ${span(least, most)}, the smaller first, received ${shown(value)}`,
    );
  }
  return [low, high];
}

export function choice<T extends string>(transform: string, option: string, value: T, choices: readonly T[]): T {
  if (!choices.includes(value)) {
    throw new DataError(
      `${transform}: ${option} must be one of ${choices.map((one) => `'${one}'`).join(', ')}, received ${shown(value)}`,
    );
  }
  return value;
}

/** What a transform paints with: the data's mean colour, or one value for all channels. */
export type Fill = 'mean' | number;

/** `mean` (or another of the `words`) or a value. */
export function fillValue<W extends string = 'mean'>(
  transform: string,
  option: string,
  value: W | number,
  words: readonly W[] = ['mean' as W],
): W | number {
  if (typeof value === 'number' ? value >= 0 && value <= 255 : words.includes(value)) return value;
  const choices = words.map((word) => `'${word}'`).join(', ');
  throw new DataError(`${transform}: ${option} must be ${choices} or a number from 0 to 255, received ${shown(value)}`);
}

/** Refuses options that a transform does not have; data may come from a file. */
export function known(transform: string, data: object, options: readonly string[]): void {
  const unknown = Object.keys(data).find((key) => key !== 'name' && !options.includes(key));
  if (unknown !== undefined) {
    throw new DataError(
      `${transform} has no option '${unknown}'; ${options.length === 0 ? 'it has none' : `there are ${options.join(', ')}`}`,
    );
  }
}

function span(least: number, most: number): string {
  return most === Infinity ? `from ${least} up` : `from ${least} to ${most}`;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : Array.isArray(value) ? value.join(', ') : String(value);
}

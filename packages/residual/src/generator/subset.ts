/** Which samples `subset` means: seeded, class by class, copies of one picture together.
 *  Both subsets come from the same numbers whatever the flows' own seeds, so they never overlap. */
import { DataError } from '../data/errors.ts';
import { stratifiedSplit } from '../data/split.ts';
import type { GeneratorSettings } from './options.ts';

export type Subset = 'training' | 'validation' | undefined;

/**
 * @param groups equal for copies of one picture; asked for only where there is something to split
 * @throws DataError for an unknown subset, or one without a `validationSplit` to make it
 */
export async function rowsOf(
  subset: Subset,
  labels: Int32Array,
  { validationSplit, splitSeed }: Pick<GeneratorSettings, 'validationSplit' | 'splitSeed'>,
  groups?: () => Promise<Int32Array>,
): Promise<Int32Array> {
  if (subset === undefined) return Int32Array.from(labels.keys());
  if (subset !== 'training' && subset !== 'validation') {
    throw new DataError(`subset must be 'training' or 'validation', received '${subset}'`);
  }
  if (validationSplit === 0) {
    throw new DataError(`subset '${subset}' needs an ImageDataGenerator with a validationSplit above 0`);
  }
  const { kept, held } = stratifiedSplit(labels, validationSplit, splitSeed, await groups?.());
  const rows = subset === 'training' ? kept : held;
  if (rows.length === 0) {
    throw new DataError(
      `a validationSplit of ${validationSplit} of ${labels.length} picture(s) leaves none for '${subset}'`,
    );
  }
  return rows;
}

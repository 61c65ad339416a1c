/** Which weights a rule is about: by name patterns such as `fc/*` or `*\/bias`.
 *  Rules as data, so that an optimizer's configuration can be written down and compared. */

/** From a pattern to a number. The first pattern that a name matches counts. */
export type FactorsByName = Readonly<Record<string, number>>;

/**
 * Whether a weight is meant by a pattern: `*` stands for any characters, the rest for itself.
 *
 * TF.js adds `_1`, `_2` … to the names of a second model's weights within one process; the patterns need not know.
 */
export function matchesName(pattern: string, name: string): boolean {
  const plain = name.replace(/_\d+$/, '');
  const expression = new RegExp(`^${pattern.split('*').map(escaped).join('.*')}$`);
  return expression.test(name) || expression.test(plain);
}

export function matchesAny(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => matchesName(pattern, name));
}

/** The number for a name; 1 where no pattern is about it. */
export function factorFor(factors: FactorsByName, name: string): number {
  const found = Object.entries(factors).find(([pattern]) => matchesName(pattern, name));
  return found ? found[1] : 1;
}

function escaped(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
}

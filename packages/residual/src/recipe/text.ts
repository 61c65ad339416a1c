/** A recipe in a few lines for people: what is said by a default stays unsaid only where it means nothing.
 *  Pure; used by the report, the search and the command line. */

import type { Recipe } from './schema.ts';

/** A section's keys in one line: `sgd, learning rate 0.1, momentum 0.9`. */
function sectionText(section: Readonly<Record<string, unknown>>): string {
  const { name, ...rest } = section;
  const parts = Object.entries(rest).map(([key, value]) => `${words(key)} ${valueText(value)}`);
  return [...(typeof name === 'string' ? [name] : []), ...parts].join(', ');
}

/** `labelSmoothing` as `label smoothing`. */
export function words(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function valueText(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  return JSON.stringify(value).replaceAll('"', '');
}

/** A line for each section. */
export function recipePairs({
  about: _,
  search: __,
  ...sections
}: Recipe): readonly (readonly [name: string, value: string])[] {
  return Object.entries(sections).map(([name, section]) => {
    if (Array.isArray(section)) {
      const items = (section as readonly Readonly<Record<string, unknown>>[]).map(({ name: which, ...options }) => {
        const inside = sectionText(options);
        return inside === '' ? String(which) : `${String(which)} (${inside})`;
      });
      return [words(name), items.length === 0 ? 'none' : items.join(', ')] as const;
    }
    return [
      words(name),
      typeof section === 'object' ? sectionText(section as Record<string, unknown>) : String(section),
    ];
  });
}

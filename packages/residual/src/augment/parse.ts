/** Augmentations written in one line, as on a command line: `randomCrop(padding=4),randomFlip,randAugment`.
 *  Recipes hold the same data as objects; both end in `transformOf`. */
import { DataError } from '../data/errors.ts';
import { transformNames, transformOf } from './registry.ts';
import type { Transform } from './transform.ts';

/**
 * @param text names, separated by commas, each with its options in brackets: `name(option=value,option=[a,b])`
 * @throws DataError for what cannot be read, unknown names and options, and impossible values
 */
export function parseTransforms(text: string): Transform[] {
  return split(text).map((part) => {
    const match = /^([A-Za-z]+)\s*(?:\((.*)\))?$/s.exec(part);
    if (match === null) {
      throw new DataError(
        `an augmentation is written name or name(option=value,…), received '${part}'; there are ${transformNames.join(', ')}`,
      );
    }
    const options = split(match[2] ?? '').map((option): [string, unknown] => {
      const at = option.indexOf('=');
      if (at < 1) throw new DataError(`${match[1]}: an option is written name=value, received '${option}'`);
      return [option.slice(0, at).trim(), valueOf(option.slice(at + 1).trim())];
    });
    if (options.some(([name]) => name === 'name')) throw new DataError(`${match[1]} has no option 'name'`);
    return transformOf({ ...Object.fromEntries(options), name: match[1] });
  });
}

/** Numbers, lists of numbers in square brackets, true and false, and words. */
function valueOf(text: string): unknown {
  if (/^\[.*\]$/s.test(text)) return split(text.slice(1, -1)).map(valueOf);
  if (text === 'true' || text === 'false') return text === 'true';
  return text !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** At the commas that are in no bracket. */
function split(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const letter of text) {
    if (letter === ',' && depth === 0) {
      parts.push(part);
      part = '';
      continue;
    }
    if (letter === '(' || letter === '[') depth++;
    if (letter === ')' || letter === ']') depth--;
    part += letter;
  }
  parts.push(part);
  return parts.map((one) => one.trim()).filter((one) => one !== '');
}

/** What every reader of a format is: a function from a file, and the files beside it, to named tensors.
 *  One signature for all, so that open.ts picks by content and one harness (fuzzing.ts) attacks every reader alike. */

import { WeightsError } from './errors.ts';
import { type ByteSource, bytesSource } from './source.ts';
import type { WeightFile } from './tensor.ts';

/**
 * Opens a file beside the one that is read, by a relative name with `/` between folders, e.g. `group1-shard1of4.bin`.
 * Names come out of files that strangers made: one that could leave the folder is refused before anything is opened.
 *
 * @throws WeightsError where there is no such file, or the name is not one that `checkSiblingName` accepts
 */
export type Siblings = (name: string) => Promise<ByteSource>;

/**
 * Reads what describes the tensors, not their values; those follow with `WeightTensor.read`.
 *
 * The file's `close` closes `source` and the siblings that the reader opened. A reader that throws need close nothing:
 * whoever called it closes what it opened for the reader.
 *
 * A folder is opened by the file that describes it: a sharded safetensors by `model.safetensors.index.json`, a TF.js
 * model by `model.json`, a TensorFlow checkpoint by its `.index`, a SavedModel by `variables/variables.index`.
 *
 * @throws WeightsError where the file is not what the format says, in one line that begins with `source.name`
 */
export type WeightReader = (source: ByteSource, siblings: Siblings) => Promise<WeightFile>;

/**
 * The name of a file within the same folder (or a folder in it), as it was written in the file called `by`.
 *
 * @throws WeightsError for names that are empty or absolute, that hold `..`, a backslash, a colon or a control character
 */
export function checkSiblingName(name: string, by: string): string {
  // Backslashes and colons are path separators and drives on Windows; no format needs them.
  const parts = name.split('/');
  const bad = parts.some((part) => part === '' || part === '.' || part === '..');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (bad || name.length > 1024 || /[\\:\u0000-\u001f\u007f]/.test(name)) {
    throw new WeightsError(`${by}: names the file ${show(name)}, which is not a plain name within the same folder`);
  }
  return name;
}

/** Text out of a file, fit for a one-line message: quoted, escaped, cut. */
export function show(text: string): string {
  const quoted = JSON.stringify(text.slice(0, 100)).replace(/[\u007f-\u009f\u2028\u2029]/g, '?');
  return quoted.length > 100 ? `${quoted.slice(0, 96)}..."` : quoted;
}

/** No files beside the one that is read. */
export const noSiblings: Siblings = async (name) => {
  throw new WeightsError(`${show(name)}: the file is needed beside the other one, and only that one was given`);
};

/** Files in memory as siblings, by name. */
export function memorySiblings(files: Readonly<Record<string, Uint8Array>>): Siblings {
  return async (name) => {
    checkSiblingName(name, 'the file');
    const bytes = Object.hasOwn(files, name) ? files[name] : undefined;
    if (!bytes) throw new WeightsError(`${show(name)}: there is no such file`);
    return bytesSource(bytes, name);
  };
}

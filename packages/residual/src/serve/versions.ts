/** What stands at a model's path, as TensorFlow Serving lays models out: NAME/1, NAME/2, …; or one model without a number.
 *  Each version has a fingerprint of its files, by which a new or half-copied one is told. */

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface FoundVersion {
  readonly version: number;
  /** What to open. */
  readonly path: string;
  /** Changes with the files' names, sizes and times. */
  readonly fingerprint: string;
}

const NUMBER = /^[1-9]\d{0,14}$/;
/** What makes a model of a folder; a run's history and checkpoints change without changing the model. */
const MODEL_FILES = /^(model\.json|residual\.json|weights\..*\.bin)$/;

/** The versions at a path, the newest first; none where nothing is there. */
export async function findVersions(path: string): Promise<FoundVersion[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => undefined);
  const numbered = entries?.filter(({ name }) => NUMBER.test(name)) ?? [];
  if (numbered.length === 0 || entries?.some(({ name }) => name === 'model.json')) {
    const fingerprint = await fingerprintOf(path);
    return fingerprint === undefined ? [] : [{ version: 1, path, fingerprint }];
  }
  const found = await Promise.all(
    numbered.map(async ({ name }) => {
      const own = await contentOf(join(path, name));
      const fingerprint = await fingerprintOf(own);
      return fingerprint === undefined ? [] : [{ version: Number(name), path: own, fingerprint }];
    }),
  );
  return found.flat().sort((a, b) => b.version - a.version);
}

/** A version's folder holds a saved model, or one exported file. */
async function contentOf(folder: string): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.'));
  const [only] = files;
  return only && entries.length === 1 && only.name !== 'model.json' ? join(folder, only.name) : folder;
}

async function fingerprintOf(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return undefined;
  if (!found.isDirectory()) return `${found.size} ${found.mtimeMs} ${found.ino}`;
  const names = (await readdir(path).catch(() => [])).sort();
  const own = names.includes('model.json') ? names.filter((name) => MODEL_FILES.test(name)) : names;
  const parts = await Promise.all(
    own.map(async (name) => {
      const file = await stat(join(path, name)).catch(() => undefined);
      return file?.isFile() ? `${name} ${file.size} ${file.mtimeMs} ${file.ino}` : '';
    }),
  );
  return parts.join('\n');
}

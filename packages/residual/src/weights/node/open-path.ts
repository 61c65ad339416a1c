/** Opens weights by a path: a file with what lies beside it, or a folder, in which the file that matters is found.
 *  The rest is open.ts's, which knows no file system. */

import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { WeightsError } from '../errors.ts';
import { type OpenWeightsOptions, openWeights as openPortable } from '../open.ts';
import { checkSiblingName, show } from '../reader.ts';
import { WEIGHT_FORMATS } from '../recognise.ts';
import type { ByteSource } from '../source.ts';
import type { WeightFile } from '../tensor.ts';
import { fileSource } from './file-source.ts';

/** What a folder is opened by, first to last. */
const KNOWN_FILES = [
  'model.safetensors.index.json',
  'model.safetensors',
  'variables/variables.index',
  'model.json',
  'pytorch_model.bin',
  'model.weights.h5',
] as const;
const ENDINGS = /\.(safetensors|pth|pt|bin|h5|hdf5|keras|onnx|index)$/;

/**
 * Opens weights as the portable `openWeights` does, and also by a path: of a file, of a folder (a SavedModel, a
 * checkpoint's, a Hugging Face model's, one that `saveModel` wrote), or of a TensorFlow checkpoint without `.index`.
 *
 * ```ts
 * const weights = await openWeights('resnet18-f37072fd.pth');
 * const [first] = weights.tensors; // conv1.weight, float32, [64, 3, 7, 7], in the layout of the file's framework
 * const values = await first.read();
 * await weights.close();
 * ```
 *
 * @throws WeightsError where there is no such file, it is in no known format, is damaged, or a file beside it is missing
 */
export async function openWeights(
  input: string | Blob | Uint8Array | ByteSource,
  options: OpenWeightsOptions = {},
): Promise<WeightFile> {
  return typeof input === 'string' ? openWeightsAt(input) : openPortable(input, options);
}

/** `openWeights` of a path. */
export async function openWeightsAt(path: string): Promise<WeightFile> {
  const file = await fileToOpen(path);
  const folder = dirname(file);
  const siblings = async (name: string) => fileSource(join(folder, checkSiblingName(name, file)));
  return openPortable(await fileSource(file), { siblings });
}

async function fileToOpen(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return inFolder(path);
  // A checkpoint is called by what its files' names have in common.
  if (!found && (await exists(`${path}.index`))) return `${path}.index`;
  const index = path.replace(/\.data-\d+-of-\d+$/, '.index');
  if (index !== path && (await exists(index))) return index;
  if (basename(path) === 'saved_model.pb') return inFolder(dirname(path));
  return path;
}

async function inFolder(folder: string): Promise<string> {
  for (const name of KNOWN_FILES) {
    if (await exists(join(folder, name))) return join(folder, name);
  }
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    throw new WeightsError(`${folder}: cannot be read: ${error.message}`, { cause: error });
  });
  if (names.includes('checkpoint')) {
    const latest = await latestCheckpoint(folder);
    if (latest !== undefined) return latest;
  }
  const candidates = names.filter((name) => ENDINGS.test(name)).sort();
  const [only] = candidates;
  if (candidates.length === 1) return join(folder, only);
  if (candidates.length === 0)
    throw new WeightsError(`${folder}: holds no weights; what can be opened: ${WEIGHT_FORMATS}`);
  const some = candidates.slice(0, 5).map(show).join(', ');
  const more = candidates.length > 5 ? ` and ${candidates.length - 5} more` : '';
  throw new WeightsError(`${folder}: holds several files of weights, of which one must be named: ${some}${more}`);
}

/** TensorFlow notes in a file called `checkpoint` which one is the latest. */
async function latestCheckpoint(folder: string): Promise<string | undefined> {
  const file = join(folder, 'checkpoint');
  const text = await readFile(file, 'utf8').catch(() => '');
  const name = /^model_checkpoint_path: "([^"\n]*)"/m.exec(text)?.[1];
  if (name === undefined) return undefined;
  const index = join(folder, `${checkSiblingName(name, file)}.index`);
  return (await exists(index)) ? index : undefined;
}

const exists = (path: string) =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

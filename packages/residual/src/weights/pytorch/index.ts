/** Reads PyTorch's .pth, .pt and .bin: state dicts and checkpoints, as a zip or in the legacy stream.
 *  Nothing in the file is run: see pickle.ts and objects.ts for what it may name. */

import { WeightsError } from '../errors.ts';
import type { Siblings } from '../reader.ts';
import type { ByteSource } from '../source.ts';
import type { WeightFile } from '../tensor.ts';
import { readArchive } from './archive.ts';
import { isLegacy, readLegacy } from './legacy.ts';
import { stateDictOf } from './state-dict.ts';

/**
 * Opens what `torch.save` wrote: a state dict, or a checkpoint that holds one (`stateDictOf` says where it is looked for).
 *
 * @throws WeightsError for a file that holds a whole model or any other object than tensors, containers, numbers and
 *   text, which it names; and for one that is damaged
 */
export async function readPyTorch(source: ByteSource, _siblings?: Siblings): Promise<WeightFile> {
  const { name } = source;
  const start = await source.read(0, Math.min(16, source.size));
  const isZip = start[0] === 0x50 && start[1] === 0x4b;
  if (!isZip && !isLegacy(start)) throw new WeightsError(`${name}: was not written by torch.save`);
  const value = isZip ? await readArchive(source) : await readLegacy(source);
  return { format: 'pytorch', name, ...stateDictOf(value, source), close: () => source.close() };
}

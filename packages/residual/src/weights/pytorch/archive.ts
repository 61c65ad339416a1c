/** What torch.save has written since PyTorch 1.6: a zip with a pickle, and each storage as an entry of its own.
 *  Storages are read when a tensor is, and only the part that it views. */

import { WeightsError } from '../errors.ts';
import { show } from '../reader.ts';
import type { ByteSource } from '../source.ts';
import { openZip } from '../zip.ts';
import { asStorage, findGlobal, parseStorageId, type Storage } from './objects.ts';
import { unpickle } from './pickle.ts';

/** Of a pickle in bytes: a hundred times that of a large model, since values are not in it. */
export const LARGEST_PICKLE = 2 ** 25;

/** The value that was saved. Its tensors read from `source` later. */
export async function readArchive(source: ByteSource): Promise<unknown> {
  const { name: file } = source;
  const zip = await openZip(source);
  // All entries are in a folder of the archive's own name.
  const pickles = [...zip.entries.keys()].filter((name) => /^([^/]+\/)?data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    throw new WeightsError(`${file}: is a zip, but not of PyTorch: it has ${pickles.length} entries named data.pkl`);
  }
  const folder = pickles[0].slice(0, -'data.pkl'.length);
  if (zip.entries.has(`${folder}constants.pkl`)) {
    const advice = 'save its weights instead: torch.save(torch.jit.load(PATH).state_dict(), PATH)';
    throw new WeightsError(`${file}: is a TorchScript program, whose code is not run; ${advice}`);
  }
  let littleEndian = true;
  if (zip.entries.has(`${folder}byteorder`)) {
    const order = new TextDecoder().decode(await zip.read(`${folder}byteorder`, 16));
    if (order !== 'little' && order !== 'big') {
      throw new WeightsError(`${file}: its byte order must be little or big, received ${show(order)}`);
    }
    littleEndian = order === 'little';
  }

  const storages = new Map<string, Storage>();
  const load = (id: unknown): Storage => {
    const { type, key, size } = parseStorageId(id, file);
    const entry = `${folder}data/${key}`;
    const known = storages.get(entry);
    if (known && known.type === type && known.size === size) return known;
    const stored = zip.entries.get(entry)?.size ?? -1;
    if (stored < size) {
      throw new WeightsError(
        `${file}: storage ${show(key)} of ${size} bytes ${stored < 0 ? 'is missing' : `has ${stored}`}`,
      );
    }
    const read = async (offset: number, length: number) => (await zip.open(entry)).read(offset, length);
    const storage = asStorage({ type, size, littleEndian, read });
    storages.set(entry, storage);
    return storage;
  };
  const bytes = await zip.read(`${folder}data.pkl`, LARGEST_PICKLE);
  return unpickle(bytes, { file, find: findGlobal(file), load }).value;
}

/** Says by its content what a file of weights is; the name's ending, which people change, is not asked.
 *  What is no weights but is often taken for them gets an answer that helps. */

import { WeightsError } from './errors.ts';
import type { ByteSource } from './source.ts';
import type { WeightFormat } from './tensor.ts';
import { openZip } from './zip.ts';

/** What can be opened, for messages. */
export const WEIGHT_FORMATS =
  'safetensors (or its index), PyTorch (.pth, .pt, .bin), Keras (.h5, .keras), ONNX, TF.js (model.json), ' +
  'TensorFlow (a checkpoint or a SavedModel)';

/** A description of a model in JSON beyond this size is none, in bytes. */
const LARGEST_JSON = 2 ** 26;

/**
 * The format of a file's content.
 *
 * @throws WeightsError where it is none of `WEIGHT_FORMATS`, with what it seems to be instead
 */
export async function recognise(source: ByteSource): Promise<WeightFormat> {
  const { name, size } = source;
  if (size === 0) throw new WeightsError(`${name}: is empty`);
  const start = await source.read(0, Math.min(512, size));
  const has = (bytes: readonly number[], at = 0) => bytes.every((byte, i) => start[at + i] === byte);
  const says = (text: string, at = 0) => has([...new TextEncoder().encode(text)], at);

  if (has([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a])) return 'keras';
  if (says('PK\u0003\u0004') || says('PK\u0005\u0006')) return inZip(source);
  if (start[0] === 0x80 && has([0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19], 2)) {
    return 'pytorch';
  }
  // A header of less than 4 GB, which is JSON.
  if (has([0, 0, 0, 0, 0x7b], 4)) return 'safetensors';
  if (await isTable(source)) return 'tensorflow';
  const text = new TextDecoder().decode(start).trimStart();
  if (/^[[{]/.test(text)) return inJson(source);
  const graph = await protobufOf(source);
  if (graph === 'onnx') return 'onnx';

  const problem = (): string => {
    if (graph === 'saved model') return 'is the graph of a SavedModel, without its weights: open its folder';
    if (text.startsWith('version https://git-lfs')) return 'is a pointer of Git LFS, not the file: run git lfs pull';
    if (/^<(!doctype|html|\?xml)/i.test(text)) return 'is a web page, not weights: it comes from another address';
    if (says('TFL3', 4)) return 'is a TFLite model, which is made for inference alone: open what it was made of';
    if (has([0x1f, 0x8b]) || says('BZh') || has([0xfd, 0x37, 0x7a]) || has([0x28, 0xb5, 0x2f, 0xfd]) || says('7z'))
      return 'is compressed: unpack it first';
    if (says('ustar', 257)) return 'is a tar archive: unpack it first';
    if (has([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59])) return 'is a NumPy array without a name';
    if (has([0x12, 1, 0, 0, 0, 0, 0, 0])) return 'is a file of MXNet: convert it to safetensors or ONNX first';
    if (start[0] === 0x80 && start[1] <= 5) return 'is a pickle of Python, but not one of torch.save';
    return 'is in no format that is known';
  };
  throw new WeightsError(`${name}: ${problem()}; what can be opened: ${WEIGHT_FORMATS}`);
}

async function inZip(source: ByteSource): Promise<WeightFormat> {
  const names = [...(await openZip(source)).entries.keys()];
  if (names.includes('model.weights.h5') || names.includes('config.json')) return 'keras';
  if (names.some((name) => /^([^/]+\/)?data\.pkl$/.test(name))) return 'pytorch';
  throw new WeightsError(`${source.name}: is a zip, but of neither PyTorch nor Keras: unpack it first`);
}

/** The footer of a table (LevelDB's format), which a checkpoint's `.index` is. */
async function isTable(source: ByteSource): Promise<boolean> {
  if (source.size < 48) return false;
  const magic = new DataView((await source.read(source.size - 8, 8)).buffer).getBigUint64(0, true);
  return magic === 0xdb4775248b80fb57n;
}

async function inJson(source: ByteSource): Promise<WeightFormat> {
  const { name, size } = source;
  if (size > LARGEST_JSON) throw new WeightsError(`${name}: is JSON of ${size} bytes, more than ${LARGEST_JSON}`);
  const text = new TextDecoder().decode(await source.read(0, size));
  if (!/[\]}]\s*$/.test(text.slice(-100))) {
    throw new WeightsError(`${name}: begins as JSON, and does not end so; it may be cut off`);
  }
  // Not parsed, since the reader will, within its own bounds.
  const has = (keys: string) => new RegExp(`"(${keys})"\\s*:`).test(text);
  if (has('weight_map')) return 'safetensors';
  if (has('modelTopology|weightsManifest') || text.trimStart().startsWith('[')) return 'tfjs';
  const choices = 'the index of a sharded safetensors (weight_map) nor a TF.js model (weightsManifest)';
  throw new WeightsError(`${name}: is JSON, but neither ${choices}`);
}

/** ONNX's fields of a ModelProto; 1 and 5 are integers, the others have lengths. */
const MODEL_FIELDS = [1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26];

/** Walks over the outermost fields, of which a model has few: ONNX has a version (1) and a graph (7). */
async function protobufOf(source: ByteSource): Promise<'onnx' | 'saved model' | undefined> {
  const seen = new Set<number>();
  let at = 0;
  for (let count = 0; at < source.size && count < 1000; count++) {
    const bytes = await source.read(at, Math.min(20, source.size - at));
    const [tag, tagEnd] = varint(bytes, 0);
    const [value, end] = varint(bytes, tagEnd);
    const field = tag >>> 3;
    const wire = tag & 7;
    if (Number.isNaN(value) || !MODEL_FIELDS.includes(field) || wire !== (field === 1 || field === 5 ? 0 : 2)) break;
    seen.add(field);
    if (seen.has(7) && seen.has(1)) return 'onnx';
    at += end + (wire === 2 ? value : 0);
  }
  return at === source.size && [...seen].join() === '1,2' ? 'saved model' : undefined;
}

/** The value and where it ends; NaN where there is none. */
function varint(bytes: Uint8Array, from: number): readonly [value: number, end: number] {
  let value = 0;
  for (let i = 0; i < 8 && from + i < bytes.length; i++) {
    value += (bytes[from + i] & 0x7f) * 2 ** (7 * i);
    if (bytes[from + i] < 0x80) return [value, from + i + 1];
  }
  return [Number.NaN, bytes.length];
}

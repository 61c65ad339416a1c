/** Reads .safetensors: a header of JSON that says where each tensor is, then the tensors; also in shards with an index.
 *  https://huggingface.co/docs/safetensors (format), read lazily: opening a file reads its header only. */

import { WeightsError } from './errors.ts';
import { elementsOf, toFloat32, WIDTHS } from './floats.ts';
import { checkSiblingName, type Siblings, show } from './reader.ts';
import type { ByteSource } from './source.ts';
import type { StoredType, WeightFile, WeightTensor } from './tensor.ts';

/** The format's names of types. Others, such as 8-bit floats, hold no ResNet's weights. */
export const SAFETENSORS_TYPES: Readonly<Record<string, StoredType>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U64: 'uint64',
  U32: 'uint32',
  U16: 'uint16',
  U8: 'uint8',
  BOOL: 'bool',
};

/** Of headers and indexes, in bytes: 35,000 tensors. Parsed, JSON that is made for it takes 30 times its size. */
const LARGEST_JSON = 2 ** 22;
const MOST_SHARDS = 1000;

/**
 * Opens a `.safetensors` file, or the `….safetensors.index.json` of a sharded one; which of them, its bytes say.
 *
 * @throws WeightsError where header and file do not agree, e.g. for a file that is cut off
 */
export async function readSafetensors(source: ByteSource, siblings: Siblings): Promise<WeightFile> {
  const isIndex = source.size >= 9 && (await source.read(8, 1))[0] !== 0x7b;
  return isIndex || source.size < 8 ? readShards(source, siblings) : readFile(source);
}

async function readFile(source: ByteSource): Promise<WeightFile> {
  const { name: file, size } = source;
  const fail = (problem: string) => new WeightsError(`${file}: no readable safetensors file: ${problem}`);
  const length = new DataView((await source.read(0, 8)).buffer).getBigUint64(0, true);
  if (length > BigInt(size - 8)) throw fail(`the header says ${length} bytes, the file has ${size}`);
  if (length > LARGEST_JSON) throw fail(`the header has ${length} bytes, more than ${LARGEST_JSON}`);
  const header = await readJson(source, 8, Number(length));
  const start = 8 + Number(length);

  const metadata: Record<string, string> = {};
  const ranges: { begin: number; end: number; tensor: WeightTensor }[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (!isObject(entry)) throw fail(`${show(name)} is no object`);
    if (name === '__metadata__') {
      for (const [key, value] of Object.entries(entry)) {
        if (typeof value !== 'string') throw fail(`the metadata ${show(key)} is no text`);
        Object.defineProperty(metadata, key, { value, enumerable: true });
      }
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = entry;
    const type = typeof dtype === 'string' && Object.hasOwn(SAFETENSORS_TYPES, dtype) && SAFETENSORS_TYPES[dtype];
    if (!type) {
      const choices = Object.keys(SAFETENSORS_TYPES).join(', ');
      throw fail(`${show(name)} is of type ${show(String(dtype))}; types are ${choices}`);
    }
    if (!areNumbers(shape)) throw fail(`${show(name)} has no shape`);
    const bytes = elementsOf(shape, `${file}: ${show(name)}`) * WIDTHS[type];
    const [begin, end] = areNumbers(offsets) && offsets.length === 2 ? offsets : [Number.NaN, Number.NaN];
    if (!(begin >= 0 && end - begin === bytes && start + end <= size)) {
      throw fail(`${show(name)} of ${bytes} bytes is said to be at ${begin} to ${end} of ${size - start}`);
    }
    const read = async () => toFloat32(await source.read(start + begin, bytes), type);
    ranges.push({ begin, end, tensor: { name, type, shape, read } });
  }

  // The format allows neither gaps nor overlaps, so that a file has one meaning. In the file's order, not the header's.
  ranges.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { begin, end, tensor } of ranges) {
    if (begin !== at) throw fail(`${show(tensor.name)} is at ${begin}, where the tensors before it end at ${at}`);
    at = end;
  }
  if (start + at !== size) throw fail(`the tensors end at ${start + at}, the file at ${size}`);
  return {
    format: 'safetensors',
    name: file,
    tensors: ranges.map(({ tensor }) => tensor),
    metadata,
    close: () => source.close(),
  };
}

async function readShards(source: ByteSource, siblings: Siblings): Promise<WeightFile> {
  const { name: file, size } = source;
  const fail = (problem: string) => new WeightsError(`${file}: no readable index of safetensors files: ${problem}`);
  if (size > LARGEST_JSON) throw fail(`it has ${size} bytes, more than ${LARGEST_JSON}`);
  const index = await readJson(source, 0, size);
  if (!isObject(index.weight_map)) throw fail('it has no weight_map');
  const shardOf = new Map<string, string>();
  for (const [name, shard] of Object.entries(index.weight_map)) {
    if (typeof shard !== 'string') throw fail(`the shard of ${show(name)} is no text`);
    shardOf.set(name, checkSiblingName(shard, file));
  }
  const names = [...new Set(shardOf.values())];
  const other = names.find((name) => !name.endsWith('.safetensors'));
  if (other !== undefined) throw fail(`its shards must be .safetensors files, received ${show(other)}`);
  if (names.length > MOST_SHARDS) throw fail(`it names ${names.length} shards, more than ${MOST_SHARDS}`);

  const shards: WeightFile[] = [];
  const tensors = new Map<string, WeightTensor>();
  for (const shard of names) {
    const opened = await readFile(await siblings(shard));
    shards.push(opened);
    for (const tensor of opened.tensors) {
      const { name } = tensor;
      if (tensors.has(name)) throw fail(`${show(name)} is in more than one shard, also in ${show(shard)}`);
      // What the index does not name is not dropped: it is in the files.
      tensors.set(name, tensor);
      if ((shardOf.get(name) ?? shard) !== shard) throw fail(`${show(name)} is in ${show(shard)}, not where it says`);
    }
  }
  for (const [name, shard] of shardOf) {
    if (!tensors.has(name)) throw fail(`${show(name)} is not in ${show(shard)}`);
  }
  return {
    format: 'safetensors',
    name: file,
    tensors: [...tensors.values()],
    metadata: Object.assign({}, ...shards.map(({ metadata }) => metadata)),
    async close() {
      for (const shard of shards) await shard.close();
      await source.close();
    },
  };
}

async function readJson(source: ByteSource, offset: number, length: number): Promise<Record<string, unknown>> {
  const bytes = await source.read(offset, length);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new WeightsError(`${source.name}: no readable safetensors file: its description is no JSON`);
  }
  if (!isObject(value)) throw new WeightsError(`${source.name}: no readable safetensors file: its JSON is no object`);
  return value;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const areNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((item) => Number.isSafeInteger(item));

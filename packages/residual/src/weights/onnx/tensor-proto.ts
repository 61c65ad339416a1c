/** ONNX's TensorProto: numbers as raw bytes, as typed lists, or in a file of their own beside the model.
 *  https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; only the place of the numbers is kept until they are read. */

import { WeightsError } from '../errors.ts';
import { elementsOf, toFloat32, WIDTHS } from '../floats.ts';
import type { Range } from '../protobuf.ts';
import { type MessageFields, readMessage } from '../protobuf-message.ts';
import { checkSiblingName, type Siblings, show } from '../reader.ts';
import type { ByteSource } from '../source.ts';
import type { StoredType, WeightTensor } from '../tensor.ts';

/** TensorProto.DataType, and the field of its typed list. */
const TYPES: Readonly<Record<number, { readonly type: StoredType; readonly list: number }>> = {
  1: { type: 'float32', list: 4 },
  2: { type: 'uint8', list: 5 },
  3: { type: 'int8', list: 5 },
  4: { type: 'uint16', list: 5 },
  5: { type: 'int16', list: 5 },
  6: { type: 'int32', list: 5 },
  7: { type: 'int64', list: 7 },
  9: { type: 'bool', list: 5 },
  10: { type: 'float16', list: 5 },
  11: { type: 'float64', list: 10 },
  12: { type: 'uint32', list: 11 },
  13: { type: 'uint64', list: 11 },
  16: { type: 'bfloat16', list: 5 },
};
const EXTERNAL = 1;

/** A tensor, or what it holds instead of numbers that can be read. */
export type TensorOrNot = WeightTensor | { readonly name: string; readonly unread: string };

/** @param name Of a Constant's tensor, which has none of its own. */
export async function tensorProto(
  source: ByteSource,
  siblings: Siblings,
  range: Range,
  name?: string,
): Promise<TensorOrNot> {
  const message = await readMessage(source, range);
  const named = name ?? (await message.text(8)) ?? '';
  const what = `${source.name}: tensor ${show(named)}`;
  const number = message.integer(2) ?? 0;
  const known = TYPES[number];
  if (!known) return { name: named, unread: `data type ${number}` };
  if (message.has(3)) return { name: named, unread: 'a segment of a larger tensor' };
  const { type, list } = known;
  const shape = await message.integers(1);
  const elements = elementsOf(shape, what);
  const bytes = elements * WIDTHS[type];
  const checked = (found: number) => {
    if (found === bytes) return;
    throw new WeightsError(`${what}: ${type} of shape [${shape}] takes ${bytes} bytes, the file has ${found}`);
  };
  const tensor = (read: () => Promise<Float32Array>): WeightTensor => ({ name: named, type, shape, read });

  if (message.integer(14) === EXTERNAL) {
    const place = await externalPlace(message, what);
    return tensor(async () => {
      const file = await siblings(checkSiblingName(place.location, source.name));
      try {
        const length = place.length ?? Math.max(0, file.size - place.offset);
        checked(length);
        return toFloat32(await file.read(place.offset, length), type);
      } finally {
        await file.close();
      }
    });
  }
  const raw = message.range(9);
  if (raw) {
    checked(raw.end - raw.start);
    return tensor(async () => toFloat32(await source.read(raw.start, raw.end - raw.start), type));
  }
  if (type === 'float32' || type === 'float64') {
    checked(message.size(list));
    return tensor(async () => toFloat32(await message.fixed(list, type === 'float32' ? 4 : 8), type));
  }
  // A varint takes one to ten bytes: more than a list can hold is refused before anything is made for it.
  const size = message.size(list);
  if (elements > size || size > 10 * elements) {
    throw new WeightsError(`${what}: ${type} of shape [${shape}] cannot be in a list of ${size} bytes`);
  }
  return tensor(async () => {
    const values = await message.integers(list);
    if (values.length === elements) return fromIntegers(values, type);
    throw new WeightsError(`${what}: ${type} of shape [${shape}] has ${elements} values, the file ${values.length}`);
  });
}

/** float16, bfloat16 as their bits, each in an int32. */
function fromIntegers(values: readonly number[], type: StoredType): Float32Array {
  if (type === 'float16' || type === 'bfloat16') {
    const view = new DataView(new ArrayBuffer(2 * values.length));
    values.forEach((bits, i) => {
      view.setUint16(2 * i, bits, true);
    });
    return toFloat32(new Uint8Array(view.buffer), type);
  }
  if (type === 'uint64') return Float32Array.from(values, (value) => (value < 0 ? value + 2 ** 64 : value));
  if (type === 'bool') return Float32Array.from(values, (value) => (value === 0 ? 0 : 1));
  return Float32Array.from(values);
}

/** `external_data`: pairs of text, of which the offset and the length are decimal. */
async function externalPlace(message: MessageFields, what: string) {
  const pairs = new Map<string, string>();
  for (const pair of await message.messages(13)) pairs.set((await pair.text(1)) ?? '', (await pair.text(2)) ?? '');
  const whole = (key: string): number | undefined => {
    const text = pairs.get(key);
    if (text === undefined || /^\d{1,15}$/.test(text)) return text === undefined ? text : Number(text);
    throw new WeightsError(`${what}: ${key} of its external data must be a whole number, is ${show(text)}`);
  };
  const location = pairs.get('location');
  if (location === undefined) throw new WeightsError(`${what}: is in another file, which is not named`);
  return { location, offset: whole('offset') ?? 0, length: whole('length') };
}

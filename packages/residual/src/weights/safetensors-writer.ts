/** Writes .safetensors: the header, then the tensors, in the order in which they are given.
 *  Yields the file piece by piece, so that a page can make a Blob of it and Node can write it without a second copy. */

import { WeightsError } from './errors.ts';
import { elementsOf, toFloat16, WIDTHS } from './floats.ts';
import { show } from './reader.ts';

/** A tensor to write. */
export interface NamedValues {
  readonly name: string;
  readonly shape: readonly number[];
  /** Row-major. */
  readonly values: Float32Array;
}

export interface SafetensorsOptions {
  /** Text by name, which readers get with the file. `format: 'pt'`, which Hugging Face's tools ask for, is added. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** How values are stored; default float32, whose round trip is bitwise. float16 halves the file and rounds. */
  readonly type?: 'float32' | 'float16';
}

/**
 * A `.safetensors` file, as pieces: `new Blob([...safetensors(tensors)])`.
 *
 * @throws WeightsError for two tensors of one name, shapes that do not fit their values, and values that float16 cannot
 *   hold (from 65520 on)
 */
export function* safetensors(
  tensors: readonly NamedValues[],
  { metadata, type = 'float32' }: SafetensorsOptions = {},
): Generator<Uint8Array<ArrayBuffer>> {
  const header = new Map<string, unknown>([['__metadata__', { format: 'pt', ...metadata }]]);
  let end = 0;
  for (const { name, shape, values } of tensors) {
    if (header.has(name)) throw new WeightsError(`two tensors are named ${show(name)}, or it is a name of the format`);
    if (elementsOf(shape, show(name)) !== values.length) {
      throw new WeightsError(`${show(name)} of shape [${shape}] has ${values.length} values`);
    }
    const begin = end;
    end += values.length * WIDTHS[type];
    header.set(name, { dtype: type === 'float32' ? 'F32' : 'F16', shape, data_offsets: [begin, end] });
  }
  // Not by way of an object: it would move names that look like numbers to the front, and swallow __proto__.
  const entries = [...header].map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`);
  const json = new TextEncoder().encode(`{${entries.join(',')}}`);
  // Padded with spaces so that all values start on a multiple of 8.
  const length = Math.ceil(json.length / 8) * 8;
  const head = new Uint8Array(8 + length).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(length), true);
  head.set(json, 8);
  yield head;
  for (const { name, values } of tensors) {
    if (type === 'float16') yield new Uint8Array(toFloat16(values, show(name)).buffer);
    else yield new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
  }
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { io } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { Random } from '../data/random.ts';
import { maskedCrc32c } from './crc32c.ts';
import { WIDTHS } from './floats.ts';
import { readOnnx } from './onnx/onnx.ts';
import { Message } from './protobuf-writer.ts';
import { memorySiblings, noSiblings } from './reader.ts';
import { bytesSource } from './source.ts';
import type { StoredType, WeightFile } from './tensor.ts';
import { readTensorflow } from './tensorflow/tensorflow.ts';
import { table } from './tensorflow/testing.ts';
import { readTfjs } from './tfjs/tfjs.ts';

/** TensorProto.DataType of ONNX, DataType of TensorFlow, and ONNX's field of typed lists. */
const TYPES: Readonly<Record<StoredType, readonly [onnx: number, tensorflow: number, list: number]>> = {
  float32: [1, 1, 4],
  uint8: [2, 4, 5],
  int8: [3, 6, 5],
  uint16: [4, 17, 5],
  int16: [5, 5, 5],
  int32: [6, 3, 5],
  int64: [7, 9, 7],
  bool: [9, 10, 5],
  float16: [10, 19, 5],
  float64: [11, 2, 10],
  uint32: [12, 22, 11],
  uint64: [13, 23, 11],
  bfloat16: [16, 14, 5],
};
const COUNTS: Readonly<Record<number, number>> = { 1: 256, 2: 65_536, 4: 4096, 8: 4096 };
const countOf = (type: StoredType): number => COUNTS[WIDTHS[type]] ?? 0;

/** Every pattern of one and two bytes, chance ones of more. */
function patterns(type: StoredType): Uint8Array<ArrayBuffer> {
  const width = WIDTHS[type];
  const count = countOf(type);
  const bytes = new Uint8Array(count * width);
  const view = new DataView(bytes.buffer);
  const random = Random.at(7, width);
  for (let i = 0; i < count; i++) {
    if (type === 'bool') bytes[i] = i & 1;
    else if (width === 1) bytes[i] = i;
    else if (width === 2) view.setUint16(2 * i, i, true);
    else for (let at = 0; at < width; at++) bytes[i * width + at] = random.integer(256);
  }
  return bytes;
}

/** One number by the plainest means there are. */
function numberAt(view: DataView, i: number, type: StoredType): number | bigint {
  switch (type) {
    case 'float64':
      return view.getFloat64(8 * i, true);
    case 'float32':
      return view.getFloat32(4 * i, true);
    case 'float16':
      return view.getFloat16(2 * i, true);
    case 'bfloat16': {
      const bits = view.getUint16(2 * i, true);
      const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 7) & 255, bits & 127];
      if (exponent === 255) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
      return exponent === 0 ? sign * (fraction / 128) * 2 ** -126 : sign * (1 + fraction / 128) * 2 ** (exponent - 127);
    }
    case 'int64':
      return view.getBigInt64(8 * i, true);
    case 'uint64':
      return view.getBigUint64(8 * i, true);
    case 'int32':
      return view.getInt32(4 * i, true);
    case 'uint32':
      return view.getUint32(4 * i, true);
    case 'int16':
      return view.getInt16(2 * i, true);
    case 'uint16':
      return view.getUint16(2 * i, true);
    case 'int8':
      return view.getInt8(i);
    default:
      return view.getUint8(i);
  }
}

async function assertReads(file: WeightFile, expected: Float32Array, what: string): Promise<void> {
  const values = await file.tensors[0]?.read();
  assert.equal(values?.length, expected.length, what);
  const wrong = expected.findIndex((value, i) => !Object.is(value, values?.[i]));
  assert.equal(wrong, -1, `${what}: ${values?.[wrong]} for ${expected[wrong]} at ${wrong}`);
}

const types = Object.keys(TYPES) as StoredType[];

test('ONNX: every type as raw bytes and as a typed list', async () => {
  for (const type of types) {
    const [dtype, , list] = TYPES[type];
    const count = countOf(type);
    const bytes = patterns(type);
    const view = new DataView(bytes.buffer);
    const numbers = Array.from({ length: count }, (_, i) => numberAt(view, i, type));
    const expected = Float32Array.from(numbers, Number);
    const open = (fields: Message) => {
      const graph = new Message().message(5, fields.string(8, 'w').integer(2, dtype).integers(1, [count]));
      return readOnnx(bytesSource(new Message().integer(1, 8).message(7, graph).finish(), 'x.onnx'), noSiblings);
    };
    await assertReads(await open(new Message().bytes(9, bytes)), expected, `${type}, raw`);
    const floats = type === 'float32' || type === 'float64';
    const halves = type === 'float16' || type === 'bfloat16';
    const integers = halves ? Array.from({ length: count }, (_, i) => i) : numbers;
    const typed = floats ? new Message().bytes(list, bytes) : new Message().integers(list, integers);
    await assertReads(await open(typed), expected, `${type}, list`);
  }
});

test('TensorFlow: every type in both orders of bytes', async () => {
  for (const type of types) {
    const count = countOf(type);
    const bytes = patterns(type);
    const view = new DataView(bytes.buffer);
    const expected = Float32Array.from({ length: count }, (_, i) => Number(numberAt(view, i, type)));
    for (const big of [false, true]) {
      const width = WIDTHS[type];
      const at = (i: number) => (big ? i - (i % width) + width - 1 - (i % width) : i);
      const data = bytes.map((_, i) => bytes[at(i)] ?? 0);
      const shape = new Message().message(2, new Message().integer(1, count));
      const entry = new Message().integer(1, TYPES[type][1]).message(2, shape).integer(5, data.length);
      const index = table([
        [
          '',
          new Message()
            .integer(1, 1)
            .integer(2, big ? 1 : 0)
            .finish(),
        ],
        ['w', entry.fixed32(6, maskedCrc32c(data)).finish()],
      ]);
      const siblings = memorySiblings({ 'x.data-00000-of-00001': data });
      await assertReads(await readTensorflow(bytesSource(index, 'x.index'), siblings), expected, `${type}, big ${big}`);
    }
  }
});

test('TF.js: every pattern of the quantised types, as tfjs-core decodes them', async () => {
  const scale = 0.013_579;
  const min = -1.234_567_890_123;
  const cases = [
    { dtype: 'float32', quantization: { dtype: 'float16' } },
    ...(['float32', 'int32'] as const).flatMap((dtype) =>
      (['uint8', 'uint16'] as const).map((stored) => ({ dtype, quantization: { dtype: stored, scale, min } })),
    ),
  ] as const;
  for (const { dtype, quantization } of cases) {
    const bytes = patterns(quantization.dtype);
    const spec: io.WeightsManifestEntry = { name: 'w', shape: [countOf(quantization.dtype)], dtype, quantization };
    const json = new TextEncoder().encode(JSON.stringify([{ paths: ['w.bin'], weights: [spec] }]));
    const file = await readTfjs(bytesSource(json, 'manifest.json'), memorySiblings({ 'w.bin': bytes }));
    const known = io.decodeWeights(bytes.buffer, [spec]).w;
    const expected = Float32Array.from(known?.dataSync() ?? []);
    known?.dispose();
    await assertReads(file, expected, `${dtype} from ${quantization.dtype}`);
  }
});

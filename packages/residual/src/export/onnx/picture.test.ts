/** The file's own resizing beside `decodeImage`'s: the same pixels in, nearly the same bytes out. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { InferenceSession, Tensor } from 'onnxruntime-web';
import 'tfjs-backend-jit';
import { decodePixels } from '../../data/node/decode.ts';
import type { Preprocessing } from '../../models/info.ts';
import { resnet } from '../../models/resnet.ts';
import { assignQuantization } from '../../quantize/assign.ts';
import { calibrate } from '../../quantize/calibrate.ts';
import { inferenceGraph, runGraph } from '../graph/index.ts';
import { distance, infoFor, picturesFor, pretendTrained } from '../graph/testing.ts';
import { decodeOnnx } from './decode.ts';
import { encodeOnnx } from './encode.ts';
import { pictureNodes } from './picture.ts';
import { writeOnnx } from './write.ts';

/** Smooth waves, an edge and a little noise, as photographs have. */
function scene(width: number, height: number, channels: number): Uint8Array {
  const out = new Uint8Array(width * height * channels);
  for (let i = 0; i < out.length; i++) {
    const [c, x, y] = [i % channels, Math.floor(i / channels) % width, Math.floor(i / channels / width)];
    const wave = 128 + 60 * Math.sin(x / (9 + c)) * Math.cos(y / 13);
    const edge = x * 3 > y * 2 + width ? 50 : -40;
    out[i] = wave + edge + ((i * 7919) % 23) - 11;
  }
  return out;
}

async function resized(preprocessing: Preprocessing, data: Uint8Array, width: number, height: number) {
  const [rows, columns, channels] = preprocessing.inputShape;
  const { nodes, initializers, output } = pictureNodes('input', preprocessing);
  const end = { type: 'Identity', name: 'end', inputs: [output], outputs: ['output'], attributes: {} };
  const model = {
    ...{ opset: 13, name: 'resize', metadata: {}, doc: '', producer: { name: 'test', version: '' }, initializers },
    nodes: [...nodes, end],
    inputs: [{ name: 'input', type: 'uint8', dims: ['batch', 'height', 'width', channels] }],
    outputs: [{ name: 'output', type: 'float32', dims: ['batch', channels, rows, columns] }],
  } as const;
  const options = { executionProviders: ['wasm'], logSeverityLevel: 3 } as const;
  const session = await InferenceSession.create(encodeOnnx(model).finish(), options);
  const both = new Uint8Array(2 * data.length);
  both.set(data, data.length);
  const result = (await session.run({ input: new Tensor('uint8', both, [2, height, width, channels]) })).output;
  const planes = (await result?.getData()) as Float32Array;
  await session.release();
  const pixels = rows * columns;
  // The second of two, channels last.
  return Float32Array.from({ length: pixels * channels }, (_, i) => {
    return planes[pixels * channels + (i % channels) * pixels + Math.floor(i / channels)] ?? Number.NaN;
  });
}

const base = { inputShape: [24, 20, 3], resize: 'cover', mean: [0, 0, 0], std: [1, 1, 1] } as const;
const cases: readonly [Partial<Preprocessing>, width: number, height: number][] = [
  [{}, 61, 47],
  [{}, 20, 24],
  [{}, 317, 201],
  [{}, 13, 11],
  [{ interpolation: 'bilinear' }, 61, 97],
  [{ interpolation: 'bilinear', crop: 0.875 }, 161, 137],
  [{ interpolation: 'bicubic' }, 61, 47],
  [{ interpolation: 'bicubic', crop: 0.875 }, 15, 40],
  [{ resize: 'stretch' }, 90, 31],
  [{ resize: 'contain' }, 91, 30],
  [{ resize: 'contain' }, 9, 14],
  [{ resize: 'contain', interpolation: 'bilinear' }, 33, 90],
  [{ inputShape: [16, 16, 1] }, 133, 100],
];

test('pictures of any size come out as decodeImage makes them', async () => {
  for (const [changes, width, height] of cases) {
    const preprocessing = { ...base, ...changes };
    const { inputShape, resize } = preprocessing;
    const channels = inputShape[2];
    const data = scene(width, height, channels);
    const received = await resized(preprocessing, data, width, height);
    const pixels = { data, width, height, channels: channels as 1 | 3 };
    const expected = await decodePixels(pixels, inputShape, resize, preprocessing);
    let [worst, sum] = [0, 0];
    for (const [i, value] of received.entries()) {
      const difference = Math.abs(value - (expected[i] ?? Number.NaN));
      worst = Math.max(worst, difference); // NaN stays NaN
      sum += difference;
    }
    const what = `${JSON.stringify(changes)} of ${width} x ${height}: ${worst} at worst, ${sum / received.length} on average`;
    // Boxes are rounded to bytes there, and not here.
    assert.ok(worst <= 3 && sum / received.length < 1, what);
  }
});

test('a network with its resizing inside answers as it does to decoded pictures, in floats and in integers', async () => {
  await tf.setBackend('jit');
  const shape = { inputShape: [24, 20, 3], classes: 4, width: 4, stem: 'cifar', activation: 'linear' } as const;
  const model = pretendTrained(resnet('resnet18', shape));
  const info = infoFor(model);
  const graph = await inferenceGraph(model, info, { input: 'bytes' });
  model.dispose();
  const data = scene(161, 137, 3);
  const decoded = await decodePixels({ data, width: 161, height: 137, channels: 3 }, [24, 20, 3], 'cover');
  const expected = await runGraph(graph, decoded);
  const quantization = assignQuantization(graph, await calibrate(graph, [picturesFor(info, 8).bytes, decoded]));
  for (const [options, limit] of [
    [{}, 0.02],
    [{ precision: 'int8', quantization }, 0.1],
  ] as const) {
    const bytes = writeOnnx(graph, { type: 'picture', ...options });
    const session = await InferenceSession.create(bytes, { executionProviders: ['wasm'], logSeverityLevel: 3 });
    const { output } = await session.run({ input: new Tensor('uint8', data, [1, 137, 161, 3]) });
    const received = (await output?.getData()) as Float32Array;
    await session.release();
    assert.ok(distance(expected, received) < limit, `${distance(expected, received)} of at most ${limit}`);
    const model = decodeOnnx(bytes, 'test.onnx');
    assert.deepEqual(model.inputs[0]?.dims, ['batch', 'height', 'width', 3]);
    assert.equal(model.metadata.input, 'picture');
    assert.match(model.doc, /it takes any height and width\.$/);
  }
});

test('what averages nothing is refused', () => {
  assert.throws(
    () => pictureNodes('input', { ...base, interpolation: 'nearest' }),
    /this model's interpolation is nearest/,
  );
});

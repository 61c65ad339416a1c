/** Layers of written files, as LiteRT and ONNX Runtime compute them, beside the graph that they were written from. */

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { Random } from '../data/random.ts';
import { quantizePostTraining } from '../quantize/post-training.ts';
import type { ExportFormat } from './format.ts';
import type { InferenceGraph } from './graph/graph.ts';
import { type LayerAgreement, layerAgreement } from './layers.ts';
import type { Pictures } from './measure.ts';
import { onnxFormat } from './onnx/format.ts';
import { type OnnxOptions, writeOnnx } from './onnx/write.ts';
import { readModel } from './tflite/edges.ts';
import { tfliteFormat } from './tflite/format.ts';
import { TENSOR_TYPE } from './tflite/schema.ts';
import { everyOp } from './tflite/testing.ts';
import { type Edges, writeTflite } from './tflite/write.ts';

before(() => tf.setBackend('cpu'));

const random = Random.at(3);
const bytes = Float32Array.from({ length: 8 * 13 * 11 * 3 }, () => random.integer(256));
const pictures: Pictures = {
  count: 8,
  async *batches() {
    yield { bytes: bytes.subarray(0, 5 * 13 * 11 * 3) };
    yield { bytes: bytes.subarray(5 * 13 * 11 * 3) };
  },
};

async function agreement(format: ExportFormat, graph: InferenceGraph, file: Uint8Array): Promise<LayerAgreement[]> {
  const running = await format.openValues?.([{ path: format.target('float32'), bytes: file }], graph);
  if (!running) throw new Error(`${format.title} shows nothing`);
  const rows = await layerAgreement(graph, running, pictures);
  await running.close();
  return rows;
}

function worst(rows: readonly LayerAgreement[]): number {
  return rows.reduce((least, { sqnr }) => Math.min(least, sqnr), Number.POSITIVE_INFINITY);
}

/** Bytes, since then no caller rounds anything. */
const graph = everyOp('bytes');
const layers = graph.nodes.map(({ name }) => name);

/** A layer's bias moved far away. */
function damaged(name: string): InferenceGraph {
  const nodes = graph.nodes.map((node) =>
    node.name === name && node.op === 'conv2d'
      ? { ...node, bias: { ...node.bias, values: node.bias.values.map((value) => value + 3) } }
      : node,
  );
  return { ...graph, nodes };
}

for (const edges of ['float', 'int8', 'uint8'] as const satisfies readonly Edges[]) {
  test(`LiteRT shows what every layer of an int8 file makes, ends of ${edges}`, async () => {
    const quantized = await quantizePostTraining(graph, [bytes]);
    const written = writeTflite(graph, { quantize: 'int8', quantization: quantized.quantization, edges });
    const rows = await agreement(tfliteFormat, graph, written);
    assert.deepEqual(
      rows.map(({ layer }) => layer),
      layers,
    );
    assert.ok(worst(rows) > 28, JSON.stringify(rows));
    for (const { cosine } of rows) assert.ok(cosine > 0.999 && cosine <= 1 + 1e-9);
    // Rounding is there: this is the file, not the graph once more.
    assert.ok(worst(rows) < 60);
  });
}

test('float files agree in every layer, in both runtimes; half floats as far as they go', async () => {
  const tflite = await agreement(tfliteFormat, graph, writeTflite(graph));
  const onnx = async (options: OnnxOptions) => agreement(onnxFormat, graph, writeOnnx(graph, options));
  const [float, half] = [await onnx({ type: 'uint8' }), await onnx({ precision: 'float16', layout: 'NHWC' })];
  for (const rows of [tflite, float, half]) assert.equal(rows.length, layers.length);
  assert.ok(worst(tflite) > 100 && worst(float) > 100, `${worst(tflite)}, ${worst(float)}`);
  assert.ok(worst(half) > 50 && worst(half) < 90, `${worst(half)}`);
});

test('where a file is another network, the layer at which it begins is seen', async () => {
  const at = layers.indexOf('narrow');
  const other = damaged('narrow');
  const { quantization } = await quantizePostTraining(other, [bytes]);
  const files = [
    await agreement(tfliteFormat, graph, writeTflite(other, { quantize: 'int8', quantization })),
    await agreement(onnxFormat, graph, writeOnnx(other)),
  ];
  for (const rows of files) {
    assert.ok(worst(rows.slice(0, at)) > 28);
    assert.ok((rows[at]?.sqnr ?? 99) < 15, JSON.stringify(rows[at]));
  }
});

test('a layer that is kept in floats computes in floats in LiteRT, between integers', async () => {
  const kept = await quantizePostTraining(graph, [bytes], { keepFloat: ['narrow'] });
  const whole = await quantizePostTraining(graph, [bytes]);
  const file = (of: typeof kept) => writeTflite(graph, { quantize: 'int8', quantization: of.quantization });
  const typeOf = (name: string) =>
    readModel(file(kept), 'kept.tflite').subgraphs?.[0]?.tensors?.find((tensor) => tensor.name === name)?.type;
  assert.equal(typeOf('narrow'), TENSOR_TYPE.float32);
  assert.equal(typeOf('narrow/weight'), TENSOR_TYPE.float32);
  assert.equal(typeOf('relu/float32'), TENSOR_TYPE.float32);
  assert.equal(typeOf('relu'), TENSOR_TYPE.int8);
  assert.equal(typeOf('positive'), TENSOR_TYPE.int8);
  const [spared, plain] = [
    await agreement(tfliteFormat, graph, file(kept)),
    await agreement(tfliteFormat, graph, file(whole)),
  ];
  const of = (rows: readonly LayerAgreement[], name: string) => rows.find(({ layer }) => layer === name)?.sqnr ?? 0;
  // The same numbers go in; those that come out lose nothing more.
  assert.equal(of(spared, 'relu'), of(plain, 'relu'));
  assert.ok(of(spared, 'narrow') > of(plain, 'narrow'), `${of(spared, 'narrow')} beside ${of(plain, 'narrow')}`);
});

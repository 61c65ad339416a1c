import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { Random } from '../../data/random.ts';
import { assignQuantization } from '../../quantize/assign.ts';
import { calibrate } from '../../quantize/calibrate.ts';
import { runGraph } from '../graph/index.ts';
import { distance } from '../graph/testing.ts';
import { readModel } from './edges.ts';
import { readFlat } from './flat/read.ts';
import { artefactInTflite } from './metadata.ts';
import { METADATA_IDENTIFIER, ModelMetadata } from './metadata-schema.ts';
import { openTflite } from './node/runtime.ts';
import { everyOp } from './testing.ts';
import { writeTflite } from './write.ts';
import { packedFiles } from './zip.ts';

before(() => tf.setBackend('cpu'));

test('a file says what a phone must know: size, colours, normalisation, labels', () => {
  const graph = everyOp();
  const file = writeTflite(graph);
  const model = readModel(file, 'x.tflite');
  const buffer = model.metadata?.find(({ name }) => name === 'TFLITE_METADATA')?.buffer ?? 0;
  const bytes = model.buffers?.[buffer]?.data ?? new Uint8Array();
  const metadata = readFlat(bytes, ModelMetadata, METADATA_IDENTIFIER, 'x.tflite');
  const [subgraph] = metadata.subgraphMetadata ?? [];
  const [image] = subgraph?.inputTensorMetadata ?? [];
  assert.deepEqual(image?.content?.contentProperties, {
    type: 'ImageProperties',
    value: { colorSpace: 1, defaultSize: { width: 11, height: 13 } },
  });
  const options = image?.processUnits?.[0]?.options;
  assert.deepEqual(
    options?.value.mean,
    [0.485, 0.456, 0.406].map((mean) => Math.fround(mean * 255)),
  );
  assert.deepEqual(
    options?.value.std,
    [0.229, 0.224, 0.225].map((std) => Math.fround(std * 255)),
  );
  const [answer] = subgraph?.outputTensorMetadata ?? [];
  assert.equal(answer?.associatedFiles?.[0]?.name, 'labels.txt');
  const [labels] = packedFiles(file);
  assert.equal(new TextDecoder().decode(labels?.data), 'ant\nbee\ncat\ndog\nété\n');
  const info = artefactInTflite(file, 'x.tflite');
  assert.deepEqual(info.classes, graph.classes);
  assert.deepEqual(info.preprocessing, graph.preprocessing);
  assert.deepEqual([info.range, info.gives, info.precision], ['normalised', 'probabilities', 'float32']);
});

test('whatever its ends, a file is run with floats', async () => {
  const graph = everyOp('bytes');
  const random = Random.at(3);
  const images = Float32Array.from({ length: 4 * 13 * 11 * 3 }, () => random.integer(256));
  const expected = await runGraph(graph, images);
  const quantization = assignQuantization(graph, await calibrate(graph, [images]));
  const answers = [];
  for (const edges of ['float', 'int8', 'uint8'] as const) {
    const file = await openTflite(writeTflite(graph, { quantize: 'int8', quantization, edges }), 'x.tflite');
    assert.match(file.runtime, /^LiteRT \d/);
    assert.equal(file.input, edges === 'float' ? 'float32' : edges);
    assert.equal(file.info.precision, 'int8');
    answers.push(await file.run(images, 4));
    await file.close();
  }
  assert.ok(distance(expected, answers[0]) < 0.05);
  assert.deepEqual(answers[1], answers[0]);
  assert.ok(distance(answers[0], answers[2]) < 1e-6);
});

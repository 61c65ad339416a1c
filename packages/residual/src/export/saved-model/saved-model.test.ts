import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import 'tfjs-backend-jit';
import { Random } from '../../data/random.ts';
import { ModelError } from '../../models/errors.ts';
import { resnet } from '../../models/resnet.ts';
import { WeightsError } from '../../weights/errors.ts';
import { memorySiblings } from '../../weights/reader.ts';
import { bytesSource } from '../../weights/source.ts';
import { tableEntries } from '../../weights/tensorflow/table.ts';
import { readTensorflow } from '../../weights/tensorflow/tensorflow.ts';
import { mutate } from '../../weights/testing/mutations.ts';
import type { ExportFile } from '../format.ts';
import { inferenceGraph } from '../graph/from-model.ts';
import { runGraph } from '../graph/run.ts';
import { distance, infoFor, picturesFor, predicted, pretendTrained } from '../graph/testing.ts';
import { otherOperators, paddedMaximum } from '../tensorflow/testing.ts';
import { decodeSavedModel } from './decode.ts';
import { savedModelFormat } from './format.ts';
import { readSavedModel } from './read.ts';
import { writeTable } from './table.ts';
import { type SavedModelOptions, writeSavedModel } from './write.ts';

before(() => tf.setBackend('jit'));

const torchvision = () =>
  pretendTrained(
    resnet('resnet18', { inputShape: [32, 32, 3], classes: 5, width: 4, stem: 'imagenet', activation: 'linear' }),
  );

/** How far what is read back is from the model. TensorFlow itself is asked in interop/export/savedmodel.py. */
async function apart(model: LayersModel, options: SavedModelOptions): Promise<number> {
  const info = infoFor(model);
  const { bytes, normalised } = picturesFor(info, 3);
  const graph = await inferenceGraph(model, info, { input: options.type === 'uint8' ? 'bytes' : 'normalised' });
  const files = writeSavedModel(graph, options);
  assert.ok(savedModelFormat.recognises(files));
  const file = await savedModelFormat.open(files);
  assert.deepEqual(file.info.classes, info.classes);
  assert.equal(file.input, options.type ?? 'float32');
  const output = await file.run(options.type === 'uint8' ? Float32Array.from(bytes) : normalised, 3);
  await file.close();
  return distance(await predicted(model, normalised), output);
}

test('written and read back, graph and checkpoint give what the model gives', async () => {
  const keras = {
    inputShape: [33, 30, 3],
    classes: 5,
    width: 4,
    stem: 'imagenet',
    convention: 'keras',
    activation: 'linear',
  } as const;
  const cifar = {
    inputShape: [15, 16, 1],
    classes: 3,
    width: 4,
    stem: 'cifar',
    convention: 'keras',
    activation: 'linear',
  } as const;
  const models = [torchvision(), pretendTrained(resnet('resnet18', keras)), pretendTrained(resnet('resnet18', cifar))];
  for (const model of [...models, otherOperators()]) {
    assert.ok((await apart(model, {})) < 1e-4, model.name);
    assert.ok((await apart(model, { type: 'uint8' })) < 1e-4, model.name);
    const [half, integers] = [await apart(model, { weights: 'float16' }), await apart(model, { weights: 'int8' })];
    assert.ok(half > 1e-6 && half < 5e-3, `${model.name}, float16: ${half}`);
    assert.ok(integers > half && integers < 0.05, `${model.name}, int8: ${integers}`);
  }
  const graph = paddedMaximum();
  const images = Float32Array.from({ length: 72 }, (_, i) => Math.sin(i));
  const { graph: read } = await readSavedModel(writeSavedModel(graph));
  assert.ok(distance(await runGraph(graph, images), await runGraph(read, images)) < 1e-5);
});

test('the operators, the signature, and the nodes by which loaders restore the variables', async () => {
  const model = torchvision();
  const graph = await inferenceGraph(model, infoFor(model));
  const files = writeSavedModel(graph);
  assert.deepEqual(files, writeSavedModel(graph));
  const names = ['variables/variables.data-00000-of-00001', 'variables/variables.index', 'assets/labels.txt'];
  assert.deepEqual(
    files.map(({ path }) => path),
    [...names, 'assets.extra/residual.json', 'saved_model.pb'],
  );
  const { nodes, inputs, outputs } = decodeSavedModel(
    bytesOf(files, 'saved_model.pb'),
    'saved_model.pb',
    'serving_default',
  );
  const counts: Record<string, number> = {};
  for (const { op } of nodes) if (op !== 'Const') counts[op] = (counts[op] ?? 0) + 1;
  const computing = { Conv2D: 20, MatMul: 1, BiasAdd: 21, Relu: 17, AddV2: 8, Pad: 5, MaxPool: 1, Mean: 1 };
  const variables = { VarHandleOp: 42, ReadVariableOp: 42, AssignVariableOp: 42, SaveV2: 1, RestoreV2: 1, NoOp: 1 };
  assert.deepEqual(counts, { ...computing, ...variables, Placeholder: 1, PlaceholderWithDefault: 2, Identity: 2 });
  assert.deepEqual([inputs, outputs], [{ input: 'input:0' }, { output: 'output:0' }]);
  // Every input of every node is a node before it.
  const seen = new Set<string>();
  for (const { name, inputs: from } of nodes) {
    for (const input of from) assert.ok(seen.has(input.replace(/^\^|:\d+$/g, '')), `${name} reads ${input}`);
    assert.ok(!seen.has(name), `${name} twice`);
    seen.add(name);
  }
  const bundle = await readTensorflow(
    bytesSource(bytesOf(files, 'variables/variables.index'), 'variables.index'),
    memorySiblings({ 'variables.data-00000-of-00001': bytesOf(files, 'variables/variables.data-00000-of-00001') }),
  );
  const [conv1] = graph.nodes;
  const kernel = bundle.tensors.find(({ key }) => key === `${conv1?.name}/kernel`);
  assert.deepEqual(kernel?.shape, [7, 7, 3, 4]);
  assert.deepEqual(await kernel?.read(), conv1?.op === 'conv2d' ? conv1.filter.values : undefined);
  assert.equal(bundle.tensors.length, 42);
});

test('a table of many blocks is read back, whatever the order of its rows', async () => {
  const random = Random.at(4);
  const rows = Array.from({ length: 900 }, (_, i) => ({
    key: new TextEncoder().encode(`key/${(i * 7919) % 900}`),
    value: Uint8Array.from({ length: random.integer(900) }, () => random.integer(256)),
  }));
  const entries = await tableEntries(bytesSource(writeTable(rows), 'test.index'));
  const expected = rows.map(({ key, value }) => [new TextDecoder().decode(key), value] as const);
  assert.deepEqual(
    entries.map(({ key }) => key),
    expected.map(([key]) => key).sort(),
  );
  assert.deepEqual(new Map(entries.map(({ key, value }) => [key, value])), new Map(expected));
  assert.deepEqual(await tableEntries(bytesSource(writeTable([]), 'empty.index')), []);
});

test('what cannot be is named, and damage is an error of one line', async () => {
  const model = pretendTrained(resnet('resnet18', { inputShape: [8, 8, 3], classes: 3, width: 1 }));
  const graph = await inferenceGraph(model, infoFor(model));
  assert.throws(
    () => writeSavedModel(graph, { type: 'uint8' }),
    /needs a graph whose input is 'bytes', received 'normalised'/,
  );
  const large = {
    ...graph,
    nodes: graph.nodes.map((node) => (node.op === 'dense' ? { ...node, weights: huge(node.weights.shape) } : node)),
  };
  assert.throws(
    () => writeSavedModel(large, { weights: 'float16' }),
    /kernel: float16 holds numbers up to 65504, it has 100000/,
  );
  const files = writeSavedModel(graph);
  const without = (name: string) => files.filter(({ path }) => !path.endsWith(name));
  for (const name of ['residual.json', '.index', '00001']) {
    await assert.rejects(readSavedModel(without(name)), new RegExp(`${name.replace('.', '\\.')}" is missing`));
  }
  const data = 'variables/variables.data-00000-of-00001';
  const flipped = files.map((file) =>
    file.path === data ? { ...file, bytes: file.bytes.map((byte, i) => (i === 99 ? byte ^ 1 : byte)) } : file,
  );
  await assert.rejects(readSavedModel(flipped), /its bytes in variables\.data-00000-of-00001 are damaged/);

  const random = Random.at(9);
  const main = 'saved_model.pb';
  const whole = [
    { label: 'SavedModel', main, files: Object.fromEntries(files.map(({ path, bytes }) => [path, bytes])) },
  ];
  let refused = 0;
  for (let i = 0; i < 150; i++) {
    const damaged = mutate(whole, random);
    const given = Object.entries(damaged.files).map(([path, bytes]) => ({ path, bytes }));
    try {
      await readSavedModel(given);
    } catch (error) {
      assert.ok(
        error instanceof ModelError || error instanceof WeightsError,
        `${damaged.label}: ${(error as Error).stack}`,
      );
      assert.ok(!error.message.includes('\n'), error.message);
      refused++;
    }
  }
  assert.ok(refused > 60, `${refused} refused`);
});

function huge(shape: readonly number[]) {
  return { shape, values: new Float32Array(shape.reduce((a, b) => a * b)).fill(1e5) };
}

function bytesOf(files: readonly ExportFile[], name: string): Uint8Array {
  return files.find(({ path }) => path === name)?.bytes ?? new Uint8Array();
}

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import { io } from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { memorySiblings } from '../reader.ts';
import { bytesSource } from '../source.ts';
import { bitsOf, described, floatsIn, readExpected } from '../testing/expected.ts';
import { fuzzReader } from '../testing/fuzzing.ts';
import { readTfjs } from './tfjs.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
type Files = Record<string, Uint8Array>;

async function filesIn(folder: string): Promise<Files> {
  const files: Files = {};
  for (const name of await readdir(join(fixtures, folder))) {
    files[name] = Uint8Array.from(await readFile(join(fixtures, folder, name)));
  }
  return files;
}

const read = (files: Files, main = 'model.json') =>
  readTfjs(bytesSource(files[main] ?? new Uint8Array(), main), memorySiblings(files));

/** What tfjs-core makes of the same files: per weight the bits of its values as 32-bit floats. */
function byTfjs(files: Files): Record<string, string> {
  const { weightsManifest } = JSON.parse(new TextDecoder().decode(files['model.json']));
  const found: Record<string, string> = {};
  for (const group of weightsManifest as io.WeightsManifestConfig) {
    const bytes = Buffer.concat(group.paths.map((path) => files[path] ?? new Uint8Array()));
    for (const [name, tensor] of Object.entries(io.decodeWeights(Uint8Array.from(bytes).buffer, group.weights))) {
      if (tensor.dtype === 'string' || tensor.dtype === 'complex64') continue;
      found[name] = bitsOf(Float32Array.from(tensor.dataSync()));
      tensor.dispose();
    }
  }
  return found;
}

/** Reads with both and compares bits. */
async function assertAsTfjs(files: Files) {
  const file = await read(files);
  const found = await described(file);
  assert.deepEqual(
    Object.fromEntries(Object.entries(found).map(([name, { float32 }]) => [name, float32])),
    byTfjs(files),
  );
  return { file, found };
}

/** `largest` is the greatest error that quantisation may make. */
function assertNear(bits: string, expected: string, largest: number): void {
  const [a, b] = [floatsIn(bits), floatsIn(expected)];
  assert.equal(a.length, b.length);
  a.forEach((value, i) => {
    assert.ok(Math.abs(value - (b[i] ?? Number.NaN)) <= largest, `${value} for ${b[i]}`);
  });
}

test("a layers model of TensorFlow.js's converter, kernels as float16, shards of 100 bytes", async () => {
  const { file, found } = await assertAsTfjs(await filesIn('layers'));
  const expected = await readExpected(join(fixtures, 'layers.json'));
  assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort());
  for (const [name, { type, shape, float32 }] of Object.entries(found)) {
    assert.equal(type, name.endsWith('kernel') ? 'float16' : 'float32');
    assert.deepEqual(shape, expected[name]?.shape);
    assertNear(float32, expected[name]?.float32 ?? '', type === 'float16' ? 0.005 : 0);
  }
  assert.deepEqual(Object.keys(file.metadata), ['format', 'generatedBy', 'convertedBy']);
  assert.equal(file.metadata.format, 'layers-model');
  assert.ok(JSON.stringify(file.topology).includes('"BatchNormalization"'));
});

test('a graph model of the converter, everything as uint8', async () => {
  const { file, found } = await assertAsTfjs(await filesIn('graph'));
  assert.equal(file.metadata.format, 'graph-model');
  const kernel = found['StatefulPartitionedCall/tiny/conv1/Conv2D_weights'];
  assert.deepEqual([kernel?.type, kernel?.shape], ['uint8', [3, 3, 3, 4]]);
});

test('several groups with every type; texts, complex numbers and optimizers are left out and said to be', async () => {
  const files = await filesIn('groups');
  const { file, found } = await assertAsTfjs(files);
  const expected = await readExpected(join(fixtures, 'groups.json'));
  assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort());
  const errors: Record<string, number> = { uint8: 0.0051, uint16: 0.00003, float16: 0.0005 };
  for (const [name, { shape, float32 }] of Object.entries(expected)) {
    assert.deepEqual(found[name]?.shape, shape);
    assertNear(found[name]?.float32 ?? '', float32, errors[name] ?? 0);
  }
  assert.equal(file.metadata['left out'], 'texts (string); complex (complex64)');

  const json = JSON.parse(new TextDecoder().decode(files['model.json']));
  json.weightsManifest[0].weights[0].group = 'optimizer';
  // As integers, which the converter never quantises, though TF.js can read them.
  json.weightsManifest[0].weights[1].dtype = 'int32';
  json.weightsManifest[0].weights[2].dtype = 'int32';
  const marked = { ...files, 'model.json': new TextEncoder().encode(JSON.stringify(json)) };
  const other = await read(marked);
  assert.equal(other.metadata['left out'], 'plain (optimizer); texts (string); complex (complex64)');
  const { plain: _, ...rest } = byTfjs(marked);
  const values = Object.entries(await described(other)).map(([name, { float32 }]) => [name, float32]);
  assert.deepEqual(Object.fromEntries(values), rest);

  const manifest = new TextEncoder().encode(JSON.stringify(json.weightsManifest));
  const bare = await read({ ...files, 'weights_manifest.json': manifest }, 'weights_manifest.json');
  assert.deepEqual([bare.tensors.length, bare.topology], [other.tensors.length, undefined]);
});

test('a model that TF.js saves here and now', async () => {
  const model = tfl.sequential({
    layers: [
      tfl.layers.conv2d({ inputShape: [6, 6, 2], filters: 3, kernelSize: 3 }),
      tfl.layers.flatten(),
      tfl.layers.dense({ units: 2 }),
    ],
  });
  const files: Files = {};
  await model.save({
    save: async (artifacts) => {
      const { modelTopology, weightSpecs, weightData } = artifacts;
      files['weights.bin'] = new Uint8Array(io.CompositeArrayBuffer.join(weightData as ArrayBuffer));
      const json = { modelTopology, weightsManifest: [{ paths: ['weights.bin'], weights: weightSpecs }] };
      files['model.json'] = new TextEncoder().encode(JSON.stringify(json));
      return { modelArtifactsInfo: io.getModelArtifactsInfoForJSON(artifacts) };
    },
  });
  const { found } = await assertAsTfjs(files);
  assert.deepEqual(
    Object.values(found).map(({ shape }) => shape),
    model.weights.map(({ shape }) => shape),
  );
});

test('path tricks, missing shards and contradictions are refused in one line', async () => {
  const files = await filesIn('groups');
  const json = new TextDecoder().decode(files['model.json']);
  const changed = (from: string | RegExp, to: string) => ({
    ...files,
    'model.json': new TextEncoder().encode(json.replace(from, to)),
  });
  const refusals: [Files, RegExp][] = [
    [changed('group3-shard1of1.bin', '../../secret.bin'), /not a plain name within the same folder/],
    [changed('group3-shard1of1.bin', '/etc/passwd'), /not a plain name within the same folder/],
    [changed('group3-shard1of1.bin', 'group1-shard1of3.bin'), /"group1-shard1of3.bin" a second time/],
    [changed('group3-shard1of1.bin', 'missing.bin'), /"missing.bin": there is no such file/],
    [{ ...files, 'group2-shard2of2.bin': new Uint8Array(3) }, /a shard is cut off or missing/],
    [{ ...files, 'group3-shard1of1.bin': new Uint8Array(5) }, /the shards of a group have 5 bytes, its weights take 4/],
    [changed(/"uint16",\s+"min"/, '"uint16", "mix"'), /"uint16": uint16 quantization needs numbers scale and min/],
    [changed('"float32"', '"float8"'), /dtype must be one of float32, int32, .*is "\\"float8\\""/],
    [changed('"plain"', '"uint8"'), /two weights of the name "uint8"/],
    [{ 'model.json': new TextEncoder().encode('{"a": 1}') }, /is no TF.js model: it has no weightsManifest/],
    [{ 'model.json': new TextEncoder().encode('<html>') }, /is no TF.js model: it is not JSON/],
  ];
  for (const [bad, message] of refusals) await assert.rejects(read(bad), { name: 'WeightsError', message });
});

test('2,000 damaged files give clear errors', async () => {
  const cases = ['groups', 'layers', 'graph'].map(async (label) => ({
    label,
    main: 'model.json',
    files: await filesIn(label),
  }));
  const module = new URL('./tfjs.ts', import.meta.url);
  const { accepted, refused } = await fuzzReader({ module, reader: 'readTfjs', valid: await Promise.all(cases) });
  assert.ok(accepted > 100 && refused > 500, `${accepted} accepted, ${refused} refused`);
});

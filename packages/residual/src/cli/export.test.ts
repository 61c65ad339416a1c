/** Export and verify through the command line: a small run, its files, and what is refused. */

import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { decodeOnnx } from '../export/onnx/decode.ts';
import { makePhotos, residual, temporaryFolder } from './testing.ts';

let folder = '';

before(async () => {
  folder = await temporaryFolder();
  await makePhotos(join(folder, 'photos'), 8);
  const small = ['--size', '8', '--width', '2', '--batch', '6', '--backend', 'cpu', '--epochs', '1'];
  const { code, stderr } = await residual(['train', 'photos', ...small, '--test', '0.25', '--name', 'first'], {
    cwd: folder,
  });
  assert.equal(code, 0, stderr);
});

after(() => rm(folder, { recursive: true }));

const cpu = ['--backend', 'cpu'];

test('each file is measured on the held-out images in its own runtime, and written', async () => {
  const args = ['export', 'runs/first', '--format', 'onnx', '--quantize', 'none,float16', ...cpu];
  const { code, stdout, stderr } = await residual(args, { cwd: folder });
  assert.equal(code, 0, stderr + stdout);
  assert.match(stdout, /^file +size +accuracy +same class +differs by +per image +in\n/);
  assert.match(stdout, /\nthe model +\d+\.\d % +\d.* ms +TensorFlow\.js cpu/);
  assert.match(stdout, /\nmodel\.onnx +\S+ KiB +\d+\.\d % +100\.0 % +\S+ +\d\S* ms +ONNX Runtime \d/);
  assert.match(
    stdout,
    /\nmodel-float16\.onnx .*\n\nmeasured on 6 test images\nwrote 2 files to runs\/first\/export\n$/,
  );
  const { metadata, producer } = decodeOnnx(await readFile(join(folder, 'runs/first/export/model.onnx')), 'model.onnx');
  assert.equal(producer.name, 'residual');
  assert.deepEqual(JSON.parse(metadata.labels ?? ''), ['blue', 'green & co', 'red']);
  assert.equal(JSON.parse(metadata.preprocessing ?? '').resize, 'cover');
});

test('a file of bytes and logits says so, and is verified from what it says', async () => {
  const args = ['export', 'runs/first', '--input', 'uint8', '--softmax', 'drop', '--out', 'phone', '--json', ...cpu];
  const exported = await residual([...args, '--format', 'onnx'], { cwd: folder });
  assert.equal(exported.code, 0, exported.stderr);
  const [file] = JSON.parse(exported.stdout).files;
  assert.equal(file.sameClass, 1);
  assert.ok(file.difference < 1e-4 && file.milliseconds > 0 && file.bytes > 1000, exported.stdout);
  const picture = ['photos/red/1.png', '--json', ...cpu];
  const own = await residual(['predict', 'phone/model.onnx', ...picture], { cwd: folder });
  const model = await residual(['predict', 'runs/first', ...picture], { cwd: folder });
  const predictions = ({ stdout }: { stdout: string }): { class: string; probability: number }[] =>
    JSON.parse(stdout).predictions[0].predictions;
  predictions(model).forEach((expected, i) => {
    const given = predictions(own)[i];
    assert.equal(given?.class, expected.class);
    assert.ok(Math.abs((given?.probability ?? 2) - expected.probability) < 1e-5);
  });
  const verify = ['verify', 'phone/model.onnx', 'photos', '--against', 'runs/first', '--json', ...cpu];
  const verified = await residual(verify, { cwd: folder });
  assert.equal(verified.code, 0, verified.stderr + verified.stdout);
  const { measuredOn, files } = JSON.parse(verified.stdout);
  assert.equal(measuredOn, '24 train images');
  assert.deepEqual([files[1].file, files[1].sameClass, files[1].accuracy], ['model.onnx', 1, files[0].accuracy]);
});

test('TFLite files of every kind are calibrated, run in LiteRT, and run in our own engine too', async () => {
  const args = ['export', 'runs/first', '--format', 'tflite', '--quantize', 'none,float16,dynamic,int8'];
  const exported = await residual([...args, '--edges', 'uint8', '--out', 'phone', '--json', ...cpu], { cwd: folder });
  const { files } = JSON.parse(exported.stdout);
  const names = files.map(({ file }: { readonly file: string }) => file);
  assert.deepEqual(names, ['model.tflite', 'model-float16.tflite', 'model-dynamic.tflite', 'model-int8.tflite']);
  for (const { file, runtime, difference } of files) {
    assert.match(runtime, /^LiteRT \d/);
    assert.ok(difference < (file === 'model.tflite' ? 1e-4 : 0.2), `${file}: ${difference}`);
  }
  const predict = ['predict', 'phone/model.tflite', 'photos/red/1.png', '--json', ...cpu];
  const own = await residual(predict, { cwd: folder });
  assert.equal(own.code, 0, own.stderr);
});

test('int8 ONNX files of both profiles say what they are, and are run in our own engine', async () => {
  // A network of one epoch gives nearly the same for every class: rounding changes its order, and proof would refuse it.
  const args = ['export', 'runs/first', '--format', 'onnx', '--quantize', 'int8', '--no-proof', '--out', 'integers'];
  const picture = ['photos/red/1.png', '--json', ...cpu];
  const probabilities = async (of: string) => {
    const { stdout, stderr } = await residual(['predict', of, ...picture], { cwd: folder });
    assert.equal(stderr, '');
    return JSON.parse(stdout).predictions[0].predictions as { class: string; probability: number }[];
  };
  const expected = new Map((await probabilities('runs/first')).map((one) => [one.class, one.probability]));
  for (const [profile, file] of [
    ['cpu', 'model-int8.onnx'],
    ['tensorrt', 'model-int8-tensorrt.onnx'],
  ] as const) {
    const exported = await residual([...args, '--profile', profile, ...cpu], { cwd: folder });
    assert.equal(exported.code, 0, exported.stderr + exported.stdout);
    const { metadata } = decodeOnnx(await readFile(join(folder, 'integers', file)), file);
    assert.deepEqual([metadata.precision, metadata.profile], ['int8', profile]);
    for (const one of await probabilities(`integers/${file}`)) {
      assert.ok(Math.abs(one.probability - (expected.get(one.class) ?? 2)) < 0.05, JSON.stringify(one));
    }
  }
});

test('a model that is prepared for otherwise than the file is found out', async () => {
  const info = join(folder, 'runs/first/residual.json');
  const was = await readFile(info, 'utf8');
  const preprocessing = { ...JSON.parse(was).preprocessing, mean: [0, 0, 0] };
  await writeFile(info, JSON.stringify({ ...JSON.parse(was), preprocessing }));
  const args = ['verify', 'runs/first/export/model.onnx', 'photos', '--against', 'runs/first', '--images', '9', ...cpu];
  const { code, stdout } = await residual(args, { cwd: folder });
  await writeFile(info, was);
  assert.equal(code, 1);
  const message =
    /\ndisagrees: its outputs differ from the model's by \S+ of their range, 0\.0001 is allowed for float32\n/;
  assert.match(stdout, message);
  assert.match(stdout, /measured on 9 train images\n$/);
});

test('mistakes are named before anything runs', async () => {
  const fails = async (args: readonly string[], code: number, message: RegExp) => {
    const ended = await residual([...args, ...cpu], { cwd: folder });
    assert.equal(ended.code, code);
    assert.match(ended.stderr, message);
  };
  const list = await readdir(join(folder, 'runs/first/export'));
  await fails(
    ['export', 'runs/first', '--format', 'onxn'],
    2,
    /--format must be of .*; received 'onxn'\ndid you mean onnx\?/,
  );
  await fails(
    ['export', 'runs/first', '--format', 'onnx', '--quantize', 'int3'],
    2,
    /--quantize must be of none, float16.*'int3'/,
  );
  await fails(
    ['export', 'runs/first', '--format', 'tflite', '--layout', 'NCHW'],
    2,
    /TFLite files cannot be NCHW\nthey can be NHWC/,
  );
  await fails(['export', 'runs/first', '--edges', 'int8'], 2, /--edges is for files of integers\nadd --quantize int8/);
  await fails(
    ['export', 'runs/first', '--profile', 'tensorrt'],
    2,
    /--profile is for files of integers\nadd --quantize/,
  );
  await fails(
    ['verify', 'photos/red/0.png', 'photos'],
    1,
    /0\.png is of no format that residual export writes\nthose are ONNX/,
  );
  assert.deepEqual(await readdir(join(folder, 'runs/first/export')), list);
});

import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fixture } from '../keras/testing.ts';
import { type FuzzCase, fuzzReader } from '../testing/fuzzing.ts';
import { testZip } from '../testing/zip.ts';
import { openWeights } from './open-path.ts';

const weights = join(import.meta.dirname, '..');
const fixtures = {
  safetensors: join(weights, 'fixtures/safetensors'),
  pytorch: join(weights, 'fixtures/pytorch'),
  onnx: join(weights, 'onnx/fixtures'),
  tfjs: join(weights, 'tfjs/fixtures'),
  tensorflow: join(weights, 'tensorflow/fixtures'),
};

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'residual-open-'));
});
after(() => rm(folder, { recursive: true }));

/** Opens, reads all, and says what it was. */
async function readAll(path: string): Promise<string> {
  const file = await openWeights(path);
  let numbers = 0;
  for (const tensor of file.tensors) numbers += (await tensor.read()).length;
  assert.ok(numbers > 0);
  await file.close();
  await file.close();
  return file.format;
}

describe('openWeights of a path', () => {
  const files: readonly (readonly [string, string])[] = [
    [join(fixtures.safetensors, 'types.safetensors'), 'safetensors'],
    [join(fixtures.pytorch, 'types.pt'), 'pytorch'],
    [join(fixtures.pytorch, 'types-legacy.pt'), 'pytorch'],
    [join(fixtures.onnx, 'types.onnx'), 'onnx'],
    [join(fixtures.onnx, 'folded.onnx'), 'onnx'],
  ];
  test('the content says what it is, not the name', async () => {
    for (const [path, format] of files) {
      const renamed = join(folder, 'renamed.txt');
      await cp(path, renamed);
      assert.equal(await readAll(renamed), format, path);
    }
    for (const name of ['keras2.h5', 'keras3.keras', 'keras3.weights.h5']) {
      const renamed = join(folder, 'renamed.txt');
      await writeFile(renamed, fixture(name));
      assert.equal(await readAll(renamed), 'keras', name);
    }
  });
  test('what lies beside a file is found', async () => {
    assert.equal(await readAll(join(fixtures.safetensors, 'model.safetensors.index.json')), 'safetensors');
    assert.equal(await readAll(join(fixtures.onnx, 'external.onnx')), 'onnx');
    assert.equal(await readAll(join(fixtures.tfjs, 'layers/model.json')), 'tfjs');
    assert.equal(await readAll(join(fixtures.tensorflow, 'keras2.index')), 'tensorflow');
  });
  test('a checkpoint by the name that its files have in common, or by its data', async () => {
    assert.equal(await readAll(join(fixtures.tensorflow, 'keras2')), 'tensorflow');
    assert.equal(await readAll(join(fixtures.tensorflow, 'keras2.data-00000-of-00001')), 'tensorflow');
  });
  test('folders', async () => {
    assert.equal(await readAll(join(fixtures.tfjs, 'layers')), 'tfjs');
    assert.equal(await readAll(join(fixtures.tensorflow, 'saved-model')), 'tensorflow');
    assert.equal(await readAll(join(fixtures.tensorflow, 'saved-model/saved_model.pb')), 'tensorflow');
    assert.equal(await readAll(fixtures.safetensors), 'safetensors');

    const checkpoints = join(folder, 'checkpoints');
    await mkdir(checkpoints);
    for (const ending of ['.index', '.data-00000-of-00001']) {
      for (const name of ['keras2', 'keras2-slots']) {
        await cp(join(fixtures.tensorflow, name + ending), join(checkpoints, name + ending));
      }
    }
    await assert.rejects(readAll(checkpoints), /several files of weights, .*: "keras2-slots\.index", "keras2\.index"$/);
    await writeFile(join(checkpoints, 'checkpoint'), 'model_checkpoint_path: "keras2-slots"\n');
    const file = await openWeights(checkpoints);
    assert.match(file.name, /keras2-slots\.index$/);
    await file.close();
    await writeFile(join(checkpoints, 'checkpoint'), 'model_checkpoint_path: "../keras2"\n');
    await assert.rejects(readAll(checkpoints), /names the file "\.\.\/keras2", which is not a plain name/);

    const single = join(folder, 'single');
    await mkdir(single);
    await assert.rejects(readAll(single), /single: holds no weights; what can be opened: safetensors/);
    await cp(join(fixtures.pytorch, 'types.pt'), join(single, 'best.pth'));
    assert.equal(await readAll(single), 'pytorch');
  });
  test('what cannot be opened is answered in a line that helps', async () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
      ['empty', bytes(''), /is empty$/],
      [
        'lfs',
        bytes('version https://git-lfs.github.com/spec/v1\noid sha256:1'),
        /pointer of Git LFS, .*: run git lfs pull/,
      ],
      ['page', bytes('<!DOCTYPE html><html>'), /is a web page/],
      ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0), /is compressed: unpack it first/],
      ['tflite', bytes('\u0018\0\0\0TFL3 and so on'), /is a TFLite model/],
      ['pickle', Uint8Array.of(0x80, 4, 0x4e, 0x2e), /a pickle of Python, but not one of torch\.save/],
      [
        'text',
        bytes('Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam'),
        /in no format that is known; what can be/,
      ],
      ['json', bytes('{"name": "residual"}'), /is JSON, but neither the index/],
      ['cut json', bytes('{"modelTopology": {"a": 1'), /begins as JSON, and does not end so/],
      ['zip', testZip([{ name: 'a.txt', bytes: bytes('a') }]), /is a zip, but of neither PyTorch nor Keras/],
    ];
    for (const [name, content, message] of cases) {
      const path = join(folder, name);
      await writeFile(path, content);
      await assert.rejects(openWeights(path), (error: Error) => {
        assert.equal(error.name, 'WeightsError');
        assert.ok(error.message.startsWith(`${path}: `) && !error.message.includes('\n'), error.message);
        assert.match(error.message, message);
        return true;
      });
    }
    await assert.rejects(openWeights(join(folder, 'absent.h5')), /absent\.h5: there is no such file$/);
    // A version, and an empty graph.
    await writeFile(join(folder, 'graph.pb'), Uint8Array.of(8, 1, 0x12, 0));
    await assert.rejects(openWeights(join(folder, 'graph.pb')), /the graph of a SavedModel, .*: open its folder/);
  });
  test('files are closed, whether they could be read or not', async () => {
    const open = async () => (await readdir('/proc/self/fd').catch(() => [])).length;
    const shards = join(folder, 'shards');
    await cp(fixtures.safetensors, shards, { recursive: true });
    const index = join(shards, 'model.safetensors.index.json');
    await readAll(index);
    const count = await open();
    await readAll(index);
    await rename(join(shards, 'model-00002-of-00002.safetensors'), join(shards, 'away'));
    await assert.rejects(readAll(index), /model-00002-of-00002\.safetensors: there is no such file/);
    assert.equal(await open(), count);
  });
});

test('damaged files of all formats are recognised and read, or refused clearly', async () => {
  const load = async (path: string, names: readonly string[]): Promise<FuzzCase> => {
    const files: Record<string, Uint8Array> = {};
    for (const name of names) files[name] = new Uint8Array(await readFile(join(path, name)));
    return { label: names[0], main: names[0], files };
  };
  const shards = [1, 2, 3, 4].map((n) => `group1-shard${n}of4.bin`);
  const keras = 'keras3.weights.h5';
  const valid = [
    await load(fixtures.safetensors, ['types.safetensors']),
    await load(fixtures.pytorch, ['checkpoint.pt']),
    await load(fixtures.pytorch, ['checkpoint-legacy.pt']),
    await load(fixtures.onnx, ['types.onnx']),
    await load(join(fixtures.tfjs, 'layers'), ['model.json', ...shards]),
    await load(fixtures.tensorflow, ['keras2.index', 'keras2.data-00000-of-00001']),
    { label: keras, main: keras, files: { [keras]: fixture(keras) } },
  ];
  const module = new URL('../testing/read-any.ts', import.meta.url);
  const { accepted, refused } = await fuzzReader({ module, reader: 'readAny', valid, count: 500 });
  assert.ok(accepted > 50 && refused > 200, `${accepted} accepted, ${refused} refused`);
});

describe('openWeights without a file system', () => {
  test('bytes and blobs, with files beside them', async () => {
    const load = async (name: string) => new File([await readFile(join(fixtures.safetensors, name))], name);
    const shard = (n: number) => load(`model-0000${n}-of-00002.safetensors`);
    const index = await load('model.safetensors.index.json');
    const file = await openWeights(index, { siblings: [await shard(1), await shard(2)] });
    assert.equal(file.tensors.length, 16);
    assert.equal((await file.tensors.find(({ name }) => name === 'layer.weight')?.read())?.length, 12);
    await assert.rejects(
      openWeights(index, { siblings: [await shard(1)] }),
      /the file is needed, and is not among those/,
    );
    await assert.rejects(openWeights(index), /the file is needed beside the other one/);
    const bytes = new Uint8Array(await (await load('types.safetensors')).arrayBuffer());
    assert.equal((await openWeights(bytes)).format, 'safetensors');
    await assert.rejects(
      openWeights(bytes.subarray(0, 99), { name: 'cut' }),
      /^WeightsError: cut: no readable safetensors/,
    );
  });
});

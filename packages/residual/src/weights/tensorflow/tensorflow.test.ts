import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { maskedCrc32c } from '../crc32c.ts';
import { fileSource } from '../node/file-source.ts';
import { Message } from '../protobuf-writer.ts';
import { memorySiblings } from '../reader.ts';
import { bytesSource } from '../source.ts';
import { assertExpected, described, readExpected } from '../testing/expected.ts';
import { fuzzReader } from '../testing/fuzzing.ts';
import { readTensorflow } from './tensorflow.ts';
import { contentOf, table } from './testing.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
type Files = Record<string, Uint8Array>;

/** The index and data files of a checkpoint. */
async function filesOf(prefix: string, folder = fixtures): Promise<Files> {
  const files: Files = {};
  for (const name of await readdir(folder)) {
    if (name === `${prefix}.index` || name.startsWith(`${prefix}.data-`)) {
      files[name] = Uint8Array.from(await readFile(join(folder, name)));
    }
  }
  return files;
}

const read = (files: Files, main: string) =>
  readTensorflow(bytesSource(files[main] ?? new Uint8Array(), main), memorySiblings(files));
const expectedOf = (name: string) => readExpected(join(fixtures, `${name}.json`));

test('every type is read bit for bit, from two data files, by a path with folders', async () => {
  const siblings = (name: string) => fileSource(join(fixtures, name));
  const file = await readTensorflow(await fileSource(join(fixtures, 'types.index')), siblings);
  await assertExpected(file, await expectedOf('types'));
  assert.equal(
    file.metadata['left out'],
    'complex (data type 8); conv1/weights/Momentum (optimizer); global_step (counter); sliced (cut into slices); texts (text)',
  );
  assert.ok(file.tensors.every(({ name, key }) => name === key));
  await file.close();
});

test('an index in snappy, which TensorFlow reads as well, says the same', async () => {
  await assertExpected(await read(await filesOf('snappy'), 'snappy.index'), await expectedOf('types'));
});

test("Keras 2: variables have their layer's names and the model's order; both kinds of optimizers are left out", async () => {
  for (const name of ['keras2', 'keras2-slots']) {
    const file = await read(await filesOf(name), `${name}.index`);
    const expected = await expectedOf(name);
    await assertExpected(file, expected);
    // Of a layer the order is that of its attributes, of the layers that of the model; by keys, 10 would precede 2.
    const layers = (names: readonly string[]) => [...new Set(names.map((one) => one.split('/')[0]))];
    assert.deepEqual(layers(file.tensors.map((tensor) => tensor.name)), layers(Object.keys(expected)));
    assert.equal(file.tensors.at(-1)?.name.split('/')[0], 'fc');
    assert.match(file.tensors[0]?.key ?? '', /^layer_with_weights-0\/kernel\/\.ATTRIBUTES\/VARIABLE_VALUE$/);
    assert.match(file.metadata['left out'] ?? '', /and \d+ more \(optimizer\)/);
  }
});

test('Keras 3: a checkpoint that has the weights under the optimizer, and an export that has them twice', async () => {
  const expected = await expectedOf('keras3');
  const checkpoint = await read(await filesOf('keras3-1'), 'keras3-1.index');
  await assertExpected(checkpoint, expected);
  assert.ok(checkpoint.tensors.some(({ key }) => key.startsWith('optimizer/_trainable_variables/')));
  assert.match(checkpoint.metadata['left out'] ?? '', /save_counter \(counter\)/);

  const files = await filesOf('variables', join(fixtures, 'saved-model', 'variables'));
  const saved = await read(files, 'variables.index');
  await assertExpected(saved, expected);
  assert.match(saved.metadata['left out'] ?? '', /and 28 more \(the same once more\)/);
});

interface Entry {
  readonly key?: string;
  readonly shape?: readonly number[];
  readonly shard?: number;
  readonly offset?: number;
  readonly size?: number;
}

/** A checkpoint of one float32 tensor of [2], with what a test changes. */
function checkpoint(
  data: Uint8Array,
  { key = 'w', shape = [2], shard = 0, offset = 0, size = 8 }: Entry,
  big = false,
): Files {
  const dims = new Message();
  for (const dim of shape) dims.message(2, new Message().integer(1, dim));
  const header = new Message()
    .integer(1, 1)
    .integer(2, big ? 1 : 0)
    .message(3, new Message().integer(1, 1));
  const entry = new Message().integer(1, 1).message(2, dims).integer(3, shard).integer(4, offset).integer(5, size);
  const index = table([
    ['', header.finish()],
    [key, entry.fixed32(6, maskedCrc32c(data)).finish()],
  ]);
  return { 'x.index': index, 'x.data-00000-of-00001': data };
}

test('a big-endian checkpoint gives the same numbers', async () => {
  const data = new Uint8Array(8);
  new DataView(data.buffer).setFloat32(0, Math.PI);
  new DataView(data.buffer).setFloat32(4, -1);
  const { w } = await described(await read(checkpoint(data, {}, true), 'x.index'));
  assert.equal(w?.float32, Buffer.from(Float32Array.of(Math.PI, -1).buffer).toString('base64'));
});

test('damage is found by checksums, and contradictions are refused in one line', async () => {
  const good = new Uint8Array(8);
  const file = await read({ ...checkpoint(good, {}), 'x.data-00000-of-00001': new Uint8Array(8).fill(1) }, 'x.index');
  await assert.rejects(described(file), /"w": its bytes in x.data-00000-of-00001 are damaged/);
  const flipped = checkpoint(good, {});
  (flipped['x.index'] as Uint8Array)[9] = 77;
  const { 'x.index': index, ...data } = checkpoint(good, {});
  const refusals: [Files, RegExp][] = [
    [flipped, /x.index: is damaged: the block at byte 0 has a wrong checksum/],
    [{ 'x.index': index as Uint8Array }, /"x.data-00000-of-00001": there is no such file/],
    [
      { ...data, 'x.index': (index as Uint8Array).subarray(0, -1) },
      /is no index of a TensorFlow checkpoint, or is cut off/,
    ],
    [{ ...data, 'x.index': new Uint8Array(3) }, /is no index of a TensorFlow checkpoint, or is cut off/],
    [{ ...data, 'x.index': table([]) }, /no header/],
    [checkpoint(good, { shape: [3] }), /"w": float32 of shape \[3\] takes 12 bytes, the index says 8/],
    [checkpoint(good, { offset: 1 }), /"w": ends at byte 9 of x.data-00000-of-00001, which has 8/],
    [checkpoint(good, { shard: 1 }), /names data file 1 of 1/],
    [checkpoint(good, { shape: [-2] }), /whole number from 0 on, received -2/],
    [checkpoint(good, { shape: [2 ** 50, 2 ** 50] }), /is absurd/],
    [checkpoint(good, { key: 'k'.repeat(1025) }), /a key that is damaged or too long/],
  ];
  for (const [files, message] of refusals) {
    await assert.rejects(read(files, 'x.index'), { name: 'WeightsError', message });
  }
});

test('2,000 damaged files give clear errors', async () => {
  const names = ['types', 'snappy', 'keras2-slots', 'keras3-1'];
  const files = await Promise.all(names.map((name) => filesOf(name)));
  const cases = names.map((label, i) => ({ label, main: `${label}.index`, files: files[i] as Files }));
  const module = new URL('./tensorflow.ts', import.meta.url);
  const { accepted, refused } = await fuzzReader({ module, reader: 'readTensorflow', valid: cases, count: 1000 });
  assert.ok(accepted > 30 && refused > 500, `${accepted} accepted, ${refused} refused`);

  // Checksums keep the damage out of the index; so once more with checksums that are made after the damage.
  const blocks = cases.map((one) => ({
    ...one,
    files: { ...one.files, [one.main]: contentOf(one.files[one.main] ?? new Uint8Array()) },
  }));
  const deeper = await fuzzReader({
    module: new URL('./testing.ts', import.meta.url),
    reader: 'readBlock',
    valid: blocks,
    count: 1000,
  });
  assert.ok(deeper.accepted > 30 && deeper.refused > 500, `${deeper.accepted} accepted, ${deeper.refused} refused`);
});

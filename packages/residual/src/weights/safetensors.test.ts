import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Random } from '../data/random.ts';
import { fileSource } from './node/file-source.ts';
import { writeSafetensors } from './node/write-safetensors.ts';
import { memorySiblings, noSiblings, type Siblings } from './reader.ts';
import { readSafetensors } from './safetensors.ts';
import { type NamedValues, safetensors } from './safetensors-writer.ts';
import { bytesSource } from './source.ts';
import type { StoredType } from './tensor.ts';
import { type FuzzCase, fuzzReader } from './testing/fuzzing.ts';

const folder = new URL('./fixtures/safetensors/', import.meta.url);
const fixture = async (name: string) => new Uint8Array(await readFile(new URL(name, folder)));

type Expected = Record<string, { type: StoredType; shape: number[]; values: number[] }>;
let expected: Expected = {};
const files: Record<string, Uint8Array> = {};

before(async () => {
  for (const name of await readdir(folder)) files[name] = await fixture(name);
  expected = JSON.parse(new TextDecoder().decode(files['expected.json']));
});

const open = (bytes: Uint8Array, siblings: Siblings = noSiblings) =>
  readSafetensors(bytesSource(bytes, 'a.safetensors'), siblings);

/** A file of the given header and as many bytes of data. */
function fileOf(header: unknown, data: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

describe('readSafetensors', () => {
  const compare = async (main: string) => {
    const file = await readSafetensors(bytesSource(files[main], main), memorySiblings(files));
    assert.equal(file.format, 'safetensors');
    assert.deepEqual(file.tensors.map(({ name }) => name).sort(), Object.keys(expected).sort());
    for (const tensor of file.tensors) {
      const { type, shape, values } = expected[tensor.name];
      assert.deepEqual({ type: tensor.type, shape: tensor.shape }, { type, shape });
      assert.deepEqual(await tensor.read(), Float32Array.from(values), tensor.name);
    }
    await file.close();
    return file;
  };
  test('reads every type as the Python library wrote it', async () => {
    const { metadata } = await compare('types.safetensors');
    assert.deepEqual({ ...metadata }, { format: 'np', accuracy: '0.9' });
  });
  test('reads shards by their index', async () => {
    await compare('model.safetensors.index.json');
  });
  test('reads the header alone until values are asked for', async () => {
    const ends: number[] = [];
    const source = bytesSource(files['types.safetensors'], 'a');
    const watched = (at: number, length: number) => {
      ends.push(at + length);
      return source.read(at, length);
    };
    const file = await readSafetensors({ ...source, read: watched }, noSiblings);
    const header = 8 + new DataView(files['types.safetensors'].buffer).getUint32(0, true);
    assert.equal(Math.max(...ends), header);
    for (const tensor of file.tensors) await tensor.read();
    assert.equal(Math.max(...ends), source.size);
  });
  test('says what is wrong with a file', async () => {
    const f32 = (begin: number, end: number, shape = [1]) => ({ dtype: 'F32', shape, data_offsets: [begin, end] });
    const cases: readonly (readonly [Uint8Array, RegExp])[] = [
      [new Uint8Array(4), /its JSON|no JSON/],
      [fileOf('{', 0), /is no JSON/],
      [fileOf('{"a": [1]}', 0), /"a" is no object/],
      [
        fileOf({ a: { dtype: 'F8_E4M3', shape: [4], data_offsets: [0, 4] } }, 4),
        /"a" is of type "F8_E4M3"; types are F64, F32/,
      ],
      [fileOf({ a: f32(0, 8) }, 8), /"a" of 4 bytes is said to be at 0 to 8 of 8/],
      [fileOf({ a: f32(0, 4) }, 0), /"a" of 4 bytes is said to be at 0 to 4 of 0/],
      [fileOf({ a: f32(-4, 0) }, 8), /at -4 to 0/],
      [fileOf({ a: f32(0, 4), b: f32(2, 6) }, 6), /"b" is at 2, where the tensors before it end at 4/],
      [fileOf({ a: f32(0, 4) }, 8), /the tensors end at \d+, the file at \d+/],
      [fileOf({ a: f32(0, 4, [2 ** 40, 2 ** 40]) }, 4), /absurd/],
      [fileOf({ a: f32(0, 4, [-1, -1]) }, 4), /whole number/],
      [files['types.safetensors'].subarray(0, 700), /the header says \d+ bytes, the file has 700/],
      [files['types.safetensors'].subarray(0, -1), /said to be at/],
    ];
    for (const [bytes, message] of cases) {
      await assert.rejects(open(bytes), (error: Error) => {
        assert.equal(error.name, 'WeightsError');
        assert.match(error.message, /^a\.safetensors: /);
        assert.match(error.message, message);
        return true;
      });
    }
  });
  test('an index may name files of its own folder only, and must be true', async () => {
    const index = (map: Record<string, unknown>) => new TextEncoder().encode(JSON.stringify({ weight_map: map }));
    const shard = 'model-00001-of-00002.safetensors';
    const cases: readonly (readonly [Uint8Array, RegExp])[] = [
      [index({ a: '../x.safetensors' }), /names the file "\.\.\/x\.safetensors", which is not a plain name/],
      [index({ a: '/etc/passwd' }), /not a plain name/],
      [index({ a: 'C:\\x' }), /not a plain name/],
      [index({ a: 'absent.safetensors' }), /"absent\.safetensors": there is no such file/],
      [index({ a: shard }), /"a" is not in "model-00001/],
      [index({ '7': 7 }), /shard of "7" is no text/],
      [index({ a: 'pytorch_model-00001-of-00002.bin' }), /must be \.safetensors files, received "pytorch_model/],
    ];
    for (const [bytes, message] of cases) await assert.rejects(open(bytes, memorySiblings(files)), message);
    const twice = fileOf({ a: { dtype: 'U8', shape: [1], data_offsets: [0, 1] } }, 1);
    const siblings = memorySiblings({ 'x.safetensors': twice, 'y.safetensors': twice });
    await assert.rejects(open(index({ a: 'x.safetensors', b: 'y.safetensors' }), siblings), /"a" is in more than one shard/);
  });
  test('damaged files give clear errors', async () => {
    const shards: Record<string, Uint8Array> = { ...files };
    delete shards['types.safetensors'];
    delete shards['expected.json'];
    const valid: FuzzCase[] = [
      { label: 'types', main: 'types.safetensors', files: { 'types.safetensors': files['types.safetensors'] } },
      { label: 'shards', main: 'model.safetensors.index.json', files: shards },
    ];
    const hostile: FuzzCase[] = [
      fileOf(`${'['.repeat(100_000)}`, 0),
      fileOf(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 0),
      fileOf({ a: { dtype: 'F32', shape: [2 ** 31], data_offsets: [0, 2 ** 33] } }, 64),
    ].map((bytes, i) => ({ label: `hostile ${i}`, main: 'a', files: { a: bytes } }));
    const module = new URL('./safetensors.ts', import.meta.url);
    const { accepted, refused } = await fuzzReader({ module, reader: 'readSafetensors', valid, hostile });
    assert.ok(accepted > 80 && refused > 1500, `${accepted} accepted, ${refused} refused`);
  });
});

describe('safetensors', () => {
  const random = Random.at(5);
  const values = (length: number) => Float32Array.from({ length }, () => random.uniform(-2, 2));
  const tensors: NamedValues[] = [
    { name: 'conv1.weight', shape: [2, 3, 1, 1], values: values(6) },
    { name: '10', shape: [], values: Float32Array.of(-0) },
    { name: '__proto__', shape: [3], values: Float32Array.of(Number.NaN, Number.NEGATIVE_INFINITY, 2 ** -149) },
    { name: 'empty', shape: [0], values: new Float32Array(0) },
    { name: 'a "quoted" näme\n', shape: [5], values: values(8).subarray(1, 6) },
  ];
  const join8 = async (parts: Iterable<Uint8Array<ArrayBuffer>>) =>
    new Uint8Array(await new Blob([...parts]).arrayBuffer());

  test('a round trip is bitwise, in order, with metadata', async () => {
    const file = await open(await join8(safetensors(tensors, { metadata: { licence: 'CC0' } })));
    assert.deepEqual({ ...file.metadata }, { format: 'pt', licence: 'CC0' });
    const read = await Promise.all(
      file.tensors.map(async (t) => ({ name: t.name, shape: t.shape, values: await t.read() })),
    );
    const bits = (list: readonly NamedValues[]) =>
      list.map((t) => [t.name, t.shape, [...new Uint32Array(t.values.slice().buffer)]]);
    assert.deepEqual(bits(read), bits(tensors));
  });
  test('float16 halves the file, and a second round trip changes nothing', async () => {
    const once = await open(await join8(safetensors(tensors, { type: 'float16' })));
    const read = await Promise.all(once.tensors.map(async (t) => ({ ...t, values: await t.read() })));
    for (const [i, { values: rounded, type }] of read.entries()) {
      assert.equal(type, 'float16');
      assert.deepEqual(
        [...rounded],
        [...tensors[i].values].map((value) => Math.f16round(value)),
      );
    }
    assert.deepEqual(
      await join8(safetensors(read, { type: 'float16' })),
      await join8(safetensors(tensors, { type: 'float16' })),
    );
  });
  test('refuses what it cannot write', () => {
    const write = (list: readonly NamedValues[], type?: 'float16') => () => [
      ...safetensors(list, type ? { type } : {}),
    ];
    const one = { name: 'a', shape: [1], values: Float32Array.of(1e6) };
    assert.throws(write([one, one]), /two tensors are named "a"/);
    assert.throws(write([{ ...one, name: '__metadata__' }]), /name of the format/);
    assert.throws(write([{ ...one, shape: [2] }]), /"a" of shape \[2\] has 1 values/);
    assert.throws(write([one], 'float16'), /"a": 1000000 is too large for float16/);
  });

  describe('writeSafetensors', () => {
    let temporary = '';
    before(async () => {
      temporary = await mkdtemp(join(tmpdir(), 'residual-safetensors-'));
    });
    after(() => rm(temporary, { recursive: true }));

    test('writes a file that reads back; what fails leaves the old one', async () => {
      const path = join(temporary, 'w.safetensors');
      await writeFile(path, 'old');
      const large = { name: 'large', shape: [1], values: Float32Array.of(1e6) };
      await assert.rejects(writeSafetensors(path, [...tensors, large], { type: 'float16' }), { name: 'WeightsError' });
      assert.equal(await readFile(path, 'utf8'), 'old');
      await writeSafetensors(path, tensors);
      assert.deepEqual(new Uint8Array(await readFile(path)), await join8(safetensors(tensors)));
      const file = await readSafetensors(await fileSource(path), noSiblings);
      assert.deepEqual(await file.tensors[0].read(), tensors[0].values);
      await file.close();
      assert.deepEqual(await readdir(temporary), ['w.safetensors']);
    });
  });
});

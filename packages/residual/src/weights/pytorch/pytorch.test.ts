import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { before, describe, test } from 'node:test';
import { noSiblings } from '../reader.ts';
import { bytesSource } from '../source.ts';
import type { StoredType } from '../tensor.ts';
import { type FuzzCase, fuzzReader } from '../testing/fuzzing.ts';
import { type Code, op, pickle, tensor } from '../testing/pickle.ts';
import { testZip } from '../testing/zip.ts';
import { readPyTorch } from './index.ts';

const folder = new URL('../fixtures/pytorch/', import.meta.url);
const files: Record<string, Uint8Array> = {};
let expected: Record<string, Record<string, { type: StoredType; shape: number[]; values: number[] }>> = {};

before(async () => {
  for (const name of await readdir(folder)) files[name] = new Uint8Array(await readFile(new URL(name, folder)));
  expected = JSON.parse(new TextDecoder().decode(files['expected.json']));
});

const open = (bytes: Uint8Array, name = 'a.pt') => readPyTorch(bytesSource(bytes, name), noSiblings);

const four = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
/** A zip like torch.save's of the given pickle and one storage of four numbers. */
const archive = (...codes: readonly Code[]) =>
  testZip([
    { name: 'a/data.pkl', bytes: pickle(...codes) },
    { name: 'a/data/0', bytes: four, padding: 17 },
    { name: 'a/version', bytes: Uint8Array.of(0x33, 10) },
  ]);

async function refuses(bytes: Uint8Array, message: RegExp): Promise<void> {
  const read = async () => {
    const { tensors } = await open(bytes);
    for (const each of tensors) await each.read();
  };
  await assert.rejects(read(), (error: Error) => {
    assert.equal(error.name, 'WeightsError');
    assert.match(error.message, /^a\.pt: /);
    assert.match(error.message, message);
    return true;
  });
}

describe('readPyTorch', () => {
  const readable = [
    'types.pt',
    'types-legacy.pt',
    'big-endian.pt',
    'checkpoint.pt',
    'checkpoint-legacy.pt',
    'nested.pt',
    'views-legacy.pt',
  ];
  for (const name of readable) {
    test(`reads ${name} as PyTorch does`, async () => {
      const file = await open(files[name], name);
      assert.equal(file.format, 'pytorch');
      assert.deepEqual(
        file.tensors.map((each) => each.name),
        Object.keys(expected[name]),
      );
      for (const each of file.tensors) {
        const { type, shape, values } = expected[name][each.name];
        assert.deepEqual({ type: each.type, shape: each.shape }, { type, shape }, each.name);
        assert.deepEqual(await each.read(), Float32Array.from(values), each.name);
      }
      await file.close();
    });
  }
  test('tells what is beside the weights of a checkpoint', async () => {
    const { metadata } = await open(files['checkpoint.pt']);
    const beside = { epoch: '3', arch: 'resnet18', best_acc1: '69.75', prefix: 'module.' };
    assert.deepEqual(metadata, { ...beside, 'left out': 'optimizer (3 tensors)' });
  });
  test('a whole model is refused by the name of its class, with what to do', async () => {
    for (const name of ['whole-model.pt', 'whole-model-legacy.pt']) {
      await assert.rejects(
        open(files[name]),
        /"torch\.nn\.modules\.linear\.Linear".* is not run; the file holds a whole model; .*state_dict\(\)/,
      );
    }
  });
  test('reads deflated archives, too', async () => {
    const bytes = testZip([
      { name: 'data.pkl', bytes: pickle(op.dict({ w: tensor({ offset: 1, shape: [3] }) })), deflate: true },
      { name: 'data/0', bytes: four, deflate: true },
    ]);
    const [w] = (await open(bytes)).tensors;
    assert.deepEqual(await w.read(), Float32Array.of(2, 3, 4));
  });
  test('types that came later: bytes without a type, given one by the tensor', async () => {
    const id = op.tuple(
      op.text('storage'),
      op.global('torch.storage', 'UntypedStorage'),
      op.text('0'),
      op.text('cpu'),
      op.int(16),
    );
    const args = [
      [...id, ...op.persid],
      op.int(2),
      op.tuple(op.int(2)),
      op.tuple(op.int(1)),
      [0x89],
      op.none,
      op.global('torch', 'uint16'),
    ];
    const [w] = (await open(archive(op.dict({ w: op.call('torch._utils', '_rebuild_tensor_v3', ...args) })))).tensors;
    assert.equal(w.type, 'uint16');
    assert.deepEqual(await w.read(), Float32Array.of(0, 0x4000));
  });
  test('one tensor under two names, and one alone', async () => {
    const tied = [
      ...op.emptyDict,
      ...op.mark,
      ...op.text('a'),
      ...tensor(),
      ...op.put(1),
      ...op.text('b'),
      ...op.get(1),
      ...op.setItems,
    ];
    assert.deepEqual(
      (await open(archive(tied))).tensors.map(({ name }) => name),
      ['a', 'b'],
    );
    assert.deepEqual(
      (await open(archive(tensor()))).tensors.map(({ name }) => name),
      ['tensor'],
    );
  });
});

describe('hostile PyTorch files', () => {
  const evil = (module: string, name: string, ...args: readonly Code[]) => archive(op.call(module, name, ...args));
  test('no global but those of tensors is accepted, whatever it is', async () => {
    for (const [module, name] of [
      ['os', 'system'],
      ['posix', 'system'],
      ['builtins', 'eval'],
      ['__builtin__', 'exec'],
      ['torch', 'load'],
      ['torch._utils', '_rebuild_sparse_tensor'],
      ['torch.storage', '_load_from_bytes'],
      ['', '__proto__'],
      ['', 'constructor'],
      ['numpy.core.multiarray', '_reconstruct'],
    ]) {
      const full = `${module}.${name}`.replaceAll('.', '\\.');
      await refuses(evil(module, name, op.text('echo pwned')), new RegExp(`it names "${full}", which is neither`));
    }
    await refuses(archive(op.text('os'), op.text('system'), [0x93]), /names "os\.system"/);
    await refuses(
      archive(op.global('torch', 'FloatStorage'), op.emptyTuple, op.reduce),
      /calls "torch\.FloatStorage", which is a value/,
    );
    await refuses(archive(op.emptyList, op.emptyTuple, op.reduce), /calls what is no global/);
  });
  test('no opcode but those of tensors is accepted', async () => {
    for (const [code, name] of [
      [0x81, 'NEWOBJ'],
      [0x69, 'INST'],
      [0x82, 'EXT1'],
      [0x92, 'NEWOBJ_EX'],
      [0xff, '0xff'],
    ] as const) {
      await refuses(archive(op.none, [code, 1, 1]), new RegExp(`the opcode ${name}, which no tensor`));
    }
  });
  test('damaged pickles', async () => {
    await refuses(archive([0x30, 0x30]), /misses a mark/);
    await refuses(archive(op.get(7)), /refers to 7, which is not in its memo/);
    await refuses(archive(op.none, op.none, op.append), /appends to what is no list/);
    await refuses(archive(op.emptyDict, op.mark, op.none, op.setItems), /without a value/);
    await refuses(archive([0x58, 0xff, 0xff, 0xff, 0x7f]), /its pickle has no end/);
    await refuses(archive([0x8d, ...Array(8).fill(0xff)]), /its pickle has no end/);
    await refuses(archive([0x49, ...Array(2000).fill(0x31)]), /a line has more than 1024 bytes/);
    await refuses(archive([0x95, ...Array(8).fill(0)], op.emptyDict), /it has no tensors/);
  });
  test('views that leave their storage, storages that leave the file', async () => {
    await refuses(archive(tensor({ shape: [5] })), /needs numbers 0 to 5 of a storage of 4/);
    await refuses(archive(tensor({ offset: 1 })), /needs numbers 1 to 5 of a storage of 4/);
    await refuses(archive(tensor({ shape: [2 ** 30, 2 ** 30], strides: [0, 0] })), /absurd/);
    await refuses(archive(tensor({ shape: [2 ** 30], strides: [0] })), /its tensors have 1073741824 numbers/);
    await refuses(archive(tensor({ shape: [-4] })), /whole number/);
    await refuses(archive(tensor({ shape: [2], strides: [-1], offset: 3 })), /strides \[-1\]/);
    await refuses(archive(tensor({ count: 5 })), /storage "0" of 20 bytes has 16/);
    await refuses(
      archive(tensor({ key: '../../etc/passwd' })),
      /storage "\.\.\/\.\.\/etc\/passwd" of 16 bytes is missing/,
    );
    await refuses(archive(tensor({ storage: 'ComplexFloatStorage' })), /"torch\.ComplexFloatStorage"/);
  });
  test('cycles and references that multiply end soon', async () => {
    const cycle = [...op.emptyList, ...op.put(1), ...op.get(1), ...op.append];
    await refuses(archive(cycle), /nested deeper than 16, or refers to itself/);
    const dictCycle = [...op.emptyDict, ...op.put(1), ...op.text('state_dict'), ...op.get(1), ...op.setItem];
    await refuses(archive(dictCycle), /without an end/);
    // Ten references to ten references to …
    const laughs: number[] = [...op.emptyList, ...tensor(), ...op.append, ...op.put(0)];
    for (let i = 1; i <= 12; i++) {
      laughs.push(
        ...op.emptyList,
        ...op.mark,
        ...Array(10)
          .fill(op.get(i - 1))
          .flat(),
        ...op.appends,
        ...op.put(i),
      );
    }
    await refuses(archive(laughs), /more than 200000 values/);
    const often = Array.from({ length: 300 }, (_, i) => [...op.text(`w${i}`), ...op.get(1)]).flat();
    const wide = tensor({ shape: [2 ** 20], strides: [0] });
    await refuses(
      archive(wide, op.put(1), op.emptyDict, op.mark, often, op.setItems),
      /its tensors have \d+ numbers, the file \d+ bytes/,
    );
    const left = Array.from({ length: 50 }, (_, i) => [...op.text(`l${i}`), ...op.get(4)]).flat();
    const weights = [...op.text('model'), ...op.dict({ w: tensor() })];
    await refuses(archive(laughs, op.emptyDict, op.mark, left, weights, op.setItems), /more than 200000 values/);
    await refuses(archive(Array(600_000).fill(0x5d)), /more than 524288 objects/);
    await refuses(archive(Array(5_000_000).fill(0x4e)), /more than 4194304 opcodes/);
    await refuses(archive(Array(5000).fill(0x28)), /open marks/);
  });
  test('what is no file of torch.save', async () => {
    await refuses(Uint8Array.of(), /was not written by torch\.save/);
    await refuses(pickle(op.emptyDict), /was not written by torch\.save/);
    await refuses(testZip([{ name: 'a.txt', bytes: four }]), /a zip, but not of PyTorch/);
    const script = ['a/data.pkl', 'a/constants.pkl'].map((name) => ({ name, bytes: pickle(op.emptyDict) }));
    await refuses(testZip(script), /is a TorchScript program/);
    await refuses(files['types-legacy.pt'].subarray(0, -40), /is cut off/);
  });

  test('damaged files give clear errors', async () => {
    const of = (name: string): FuzzCase => ({ label: name, main: name, files: { [name]: files[name] } });
    const valid = ['types.pt', 'types-legacy.pt', 'checkpoint.pt', 'checkpoint-legacy.pt', 'views-legacy.pt'].map(of);
    const deflated = testZip([
      { name: 'a/data.pkl', bytes: pickle(op.dict({ w: tensor(), x: tensor({ strides: [0] }) })), deflate: true },
      { name: 'a/data/0', bytes: four, deflate: true },
    ]);
    valid.push({ label: 'deflated', main: 'd.pt', files: { 'd.pt': deflated } });
    const bomb = (size: number) =>
      testZip([
        { name: 'a/data.pkl', bytes: pickle(tensor({ count: 2 ** 22, shape: [2 ** 22] })) },
        { name: 'a/data/0', bytes: new Uint8Array(2 ** 24), deflate: true, size },
      ]);
    const hostile = [2 ** 26, 2 ** 31].map(
      (size): FuzzCase => ({ label: `bomb of ${size}`, main: 'b.pt', files: { 'b.pt': bomb(size) } }),
    );
    const module = new URL('./index.ts', import.meta.url);
    const { accepted, refused } = await fuzzReader({ module, reader: 'readPyTorch', valid, hostile });
    assert.ok(accepted > 200 && refused > 1000, `${accepted} accepted, ${refused} refused`);
  });
});

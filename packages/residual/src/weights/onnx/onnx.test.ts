import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileSource } from '../node/file-source.ts';
import { Message } from '../protobuf-writer.ts';
import { memorySiblings, noSiblings } from '../reader.ts';
import { bytesSource } from '../source.ts';
import { assertExpected, described, floatsIn, readExpected } from '../testing/expected.ts';
import { fuzzReader } from '../testing/fuzzing.ts';
import { readOnnx } from './onnx.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
const bytesOf = async (name: string) => Uint8Array.from(await readFile(join(fixtures, name)));

test('every type of tensor is read bit for bit, raw, in typed lists and out of a Constant', async () => {
  const file = await readOnnx(await fileSource(join(fixtures, 'types.onnx')), noSiblings);
  await assertExpected(file, await readExpected(join(fixtures, 'types.json')));
  assert.deepEqual([file.format, file.name], ['onnx', join(fixtures, 'types.onnx')]);
  const metadata = { ir_version: '8', opset: '17', producer_name: 'interop', labels: 'cat,dog' };
  assert.deepEqual(file.metadata, { ...metadata, 'left out': 'texts (data type 8)' });
  await file.close();
});

test('nodes, inputs and outputs are those of the graph', async () => {
  const file = await readOnnx(await fileSource(join(fixtures, 'types.onnx')), noSiblings);
  const [constant, identity, conv, leaky] = file.nodes;
  assert.equal(file.nodes.length, 4);
  assert.deepEqual([constant?.type, constant?.outputs, constant?.attributes.size], ['Constant', ['constant'], 0]);
  assert.deepEqual([identity?.name, identity?.inputs, identity?.outputs], ['share', ['raw.float32'], ['shared']]);
  assert.deepEqual(
    [conv?.inputs, conv?.attributes],
    [
      ['input', 'kernel'],
      new Map<string, unknown>([
        ['auto_pad', 'NOTSET'],
        ['group', 1],
        ['pads', [1, 1, 1, 1]],
      ]),
    ],
  );
  assert.deepEqual(leaky?.attributes, new Map([['alpha', 0.25]]));
  assert.deepEqual(file.inputs, [{ name: 'input', shape: ['batch', 2, 8, 8] }]);
  assert.deepEqual(file.outputs, [{ name: 'leaky', shape: ['batch', 2, 8, undefined] }]);
  await file.close();
});

test('tensors in a file beside the model are read from there, and from nowhere else', async () => {
  const [model, data] = [await bytesOf('external.onnx'), await bytesOf('external.data')];
  const read = (files: Record<string, Uint8Array>, bytes: Uint8Array = model) =>
    readOnnx(bytesSource(bytes, 'external.onnx'), memorySiblings(files));
  await assertExpected(await read({ 'external.data': data }), await readExpected(join(fixtures, 'types.json')));
  await assert.rejects(described(await read({})), /"external.data": there is no such file/);
  await assert.rejects(described(await read({ 'external.data': data.subarray(0, 8) })), /external.data: is cut off/);
  // Of the same length, so that no length in the model changes.
  const replaced = (name: string) =>
    Buffer.from(Buffer.from(model).toString('latin1').replaceAll('external.data', name), 'latin1');
  for (const name of ['../../etc/pwd', '/etc/passwd/.', 'C:\\\\windows.x']) {
    const file = await read({ 'external.data': data }, replaced(name));
    await assert.rejects(described(file), { name: 'WeightsError', message: /not a plain name within the same folder/ });
  }
});

test("PyTorch's export with folded batch normalisation: a node says which Conv a nameless weight belongs to", async () => {
  const file = await readOnnx(await fileSource(join(fixtures, 'folded.onnx')), noSiblings);
  const layers = file.nodes.filter(({ type }) => type === 'Conv' || type === 'Gemm');
  assert.deepEqual(
    layers.map(({ type, attributes }) => [type, attributes.get('strides') ?? attributes.get('transB')]),
    [
      ['Conv', [1, 1]],
      ['Conv', [2, 2]],
      ['Gemm', 1],
    ],
  );
  assert.ok(layers[0]?.inputs.every((name) => name === 'input' || name.startsWith('onnx::Conv_')));
  const found = await described(file);
  const expected = await readExpected(join(fixtures, 'folded.json'));
  for (const [i, layer] of ['conv1', 'conv2', 'fc'].entries()) {
    for (const [part, index] of [['weight', 1] as const, ['bias', 2] as const]) {
      const [own, known] = [found[layers[i]?.inputs[index] ?? ''], expected[`${layer}.${part}`]];
      assert.deepEqual(own?.shape, known?.shape);
      // Folded by two programs, whose roundings differ.
      const [a, b] = [own, known].map((one) => floatsIn(one?.float32 ?? ''));
      assert.ok(a && b && a.every((value, at) => Math.abs(value - (b[at] ?? Number.NaN)) < 1e-6));
    }
  }
  assert.equal(file.tensors.length, 6);
  await file.close();
});

test('a large model is not read to know its tensors', async () => {
  const weight = (name: string, elements: number) =>
    new Message()
      .integer(1, elements)
      .integer(2, 1)
      .string(8, name)
      .bytes(9, new Uint8Array(4 * elements));
  const graph = new Message().message(5, weight('a', 2_000_000)).message(5, weight('b', 3_000_000));
  const source = bytesSource(new Message().integer(1, 8).message(7, graph).finish(), 'large.onnx');
  let bytes = 0;
  const counting: typeof source = {
    ...source,
    read(offset, length) {
      bytes += length;
      return source.read(offset, length);
    },
  };
  const file = await readOnnx(counting, noSiblings);
  assert.deepEqual(
    file.tensors.map(({ name, shape }) => [name, shape]),
    [
      ['a', [2_000_000]],
      ['b', [3_000_000]],
    ],
  );
  assert.ok(bytes < 2e6, `${bytes} bytes were read`);
});

test('what is no model, or one that contradicts itself, is refused in one line', async () => {
  const tensor = (fields: (message: Message) => Message) =>
    new Message().integer(1, 8).message(7, new Message().message(5, fields(new Message().string(8, 'w'))));
  const refusals: [Message, RegExp][] = [
    [new Message(), /x.onnx: is no ONNX model: it has no graph/],
    [new Message().message(7, new Message()), /it has no IR version/],
    [tensor((w) => w.integers(1, [2]).integer(2, 1).bytes(9, new Uint8Array(4))), /"w": float32 .* takes 8 bytes.* 4$/],
    [
      tensor((w) =>
        w
          .integers(1, [2 ** 40])
          .integer(2, 6)
          .integers(5, [1]),
      ),
      /\[1099511627776\] cannot be in a list/,
    ],
    [tensor((w) => w.integers(1, [-1]).integer(2, 1)), /whole number from 0 on, received -1/],
    [tensor((w) => w.string(2, 'float')), /field 2 at byte \d+ is a bytes, must be varint/],
  ];
  for (const [model, message] of refusals) {
    await assert.rejects(readOnnx(bytesSource(model.finish(), 'x.onnx'), noSiblings), {
      name: 'WeightsError',
      message,
    });
  }
  const twice = new Message();
  for (let i = 0; i < 2; i++) twice.message(5, new Message().string(8, 'w').integer(2, 1).floats(4, [1]));
  const model = new Message().integer(1, 8).message(7, twice).finish();
  await assert.rejects(readOnnx(bytesSource(model, 'x.onnx'), noSiblings), /two tensors of the name "w"/);
});

test('2,000 damaged files give clear errors', async () => {
  const external = { 'external.onnx': await bytesOf('external.onnx'), 'external.data': await bytesOf('external.data') };
  const valid = [
    { label: 'types', main: 'types.onnx', files: { 'types.onnx': await bytesOf('types.onnx') } },
    { label: 'folded', main: 'folded.onnx', files: { 'folded.onnx': await bytesOf('folded.onnx') } },
    { label: 'external', main: 'external.onnx', files: external },
  ];
  const module = new URL('./onnx.ts', import.meta.url);
  const { accepted, refused } = await fuzzReader({ module, reader: 'readOnnx', valid });
  assert.ok(accepted > 100 && refused > 500, `${accepted} accepted, ${refused} refused`);
});

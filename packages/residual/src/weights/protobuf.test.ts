import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WeightsError } from './errors.ts';
import { buffered, type Field, fields, fixed32Of, floatOf, packedVarints, textOf, walkFields } from './protobuf.ts';
import { Message } from './protobuf-writer.ts';
import { bytesSource } from './source.ts';

test('varints are those of the encoding guide, negative and long ones included', () => {
  // 150, the guide's example; −1 and −2^63 of int64; 2^53.
  const message = new Message()
    .integer(1, 150)
    .integer(2, -1)
    .integer(3, -(2n ** 63n))
    .integer(4, 2 ** 53 - 1)
    .finish();
  assert.deepEqual([...message.subarray(0, 3)], [0x08, 0x96, 0x01]);
  assert.deepEqual([...message.subarray(3, 14)], [0x10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
  assert.deepEqual(
    [...fields(message, 'm')].map(({ value }) => value),
    [150, -1, -(2 ** 63), 2 ** 53 - 1],
  );
});

test('every type of field comes back, nested messages and packed lists included', () => {
  const inner = new Message().string(1, 'naïve').float(2, 0.1);
  const bytes = new Message().message(5, inner).fixed32(6, 0xfedcba98).double(7, 1).integers(8, [0, 300, -5]).finish();
  const [nested, fixed, double, list] = [...fields(bytes, 'm')] as [Field, Field, Field, Field];
  const [text, float] = [...fields(bytes, 'm', nested)] as [Field, Field];
  assert.equal(textOf(bytes, text), 'naïve');
  assert.equal(floatOf(bytes, float), Math.fround(0.1));
  assert.equal(fixed32Of(bytes, fixed), 0xfedcba98);
  assert.deepEqual([double.type, double.end - double.start], ['fixed64', 8]);
  assert.deepEqual(packedVarints(bytes, 'm', list), [0, 300, -5]);
});

test('a walk along a source passes over what is large and sees all fields, wherever windows end', async () => {
  const message = new Message();
  for (let i = 0; i < 40_000; i++) message.integer(1, i * 1000);
  message.bytes(2, new Uint8Array(3_000_000)).string(3, 'end');
  const bytes = message.finish();
  let read = 0;
  const source = bytesSource(bytes, 'm');
  const counting = {
    ...source,
    read(offset: number, length: number) {
      read += length;
      return source.read(offset, length);
    },
  };
  const seen: Field[] = [];
  await walkFields(counting, { start: 0, end: bytes.length }, (field) => seen.push(field));
  assert.deepEqual(seen, [...fields(bytes, 'm')]);
  assert.equal(seen.length, 40_002);
  assert.ok(read < 500_000, `${read} bytes were read`);
});

test('a buffered source gives the same bytes and fewer reads', async () => {
  const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
  const source = bytesSource(bytes, 'm');
  let reads = 0;
  const close = buffered({
    ...source,
    read(offset, length) {
      reads++;
      return source.read(offset, length);
    },
  });
  for (let at = 0; at + 70 < bytes.length; at += 61) {
    assert.deepEqual(await close.read(at, 70), bytes.slice(at, at + 70));
  }
  assert.ok(reads < 5);
  await assert.rejects(close.read(299_990, 20), WeightsError);
});

test('what is no message is refused in one line', async () => {
  const refusals: [number[], RegExp][] = [
    [[0x08], /the number at byte 1 does not end/],
    [[0x08, ...Array<number>(11).fill(0xff)], /the number at byte 1 does not end/],
    [[0x12, 5, 1, 2], /field 2 at byte 0 ends at byte 7, what holds it at 4/],
    [[0x12, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], /field 2 at byte 0 ends at byte Infinity/],
    [[0x0b], /11 at byte 0 is no tag/],
    [[0x00, 0], /0 at byte 0 is no tag/],
    [[0x0d, 1, 2, 3], /ends at byte 5, what holds it at 4/],
  ];
  for (const [bytes, message] of refusals) {
    const array = Uint8Array.from(bytes);
    assert.throws(() => [...fields(array, 'm')], { name: 'WeightsError', message });
    const range = { start: 0, end: array.length };
    await assert.rejects(
      walkFields(bytesSource(array, 'm'), range, () => {}),
      { name: 'WeightsError', message },
    );
  }
  assert.throws(() => packedVarints(Uint8Array.of(1, 128), 'm'), WeightsError);
});

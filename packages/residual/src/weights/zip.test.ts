import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32 as nodeCrc32 } from 'node:zlib';
import { crc32 } from './deflate.ts';
import { bytesSource } from './source.ts';
import { type TestEntry, testZip } from './testing/zip.ts';
import { openZip } from './zip.ts';

const text = (value: string) => new TextEncoder().encode(value);
const open = (bytes: Uint8Array) => openZip(bytesSource(bytes, 'a.zip'));
const letters = text('abcdefghij'.repeat(500));

describe('openZip', () => {
  test('reads stored and deflated entries, whole and in parts', async () => {
    const bytes = testZip(
      [
        { name: 'a/stored', bytes: letters, padding: 51 },
        { name: 'deflated', bytes: letters, deflate: true },
        { name: 'wide ü', bytes: text('w'), wide: true },
        { name: 'empty', bytes: text('') },
        { name: 'empty deflated', bytes: text(''), deflate: true },
      ],
      { comment: 'PK\u0005\u0006 is no end record here' },
    );
    const zip = await open(bytes);
    assert.deepEqual([...zip.entries.keys()], ['a/stored', 'deflated', 'wide ü', 'empty', 'empty deflated']);
    for (const name of ['a/stored', 'deflated']) {
      assert.deepEqual(await zip.read(name), letters);
      const entry = await zip.open(name);
      assert.equal(entry.size, letters.length);
      assert.deepEqual(await entry.read(1003, 9), letters.subarray(3, 12));
      await assert.rejects(async () => entry.read(letters.length, 1), /needs bytes 5000 to 5001 of 5000/);
    }
    assert.deepEqual(await zip.read('wide ü'), text('w'));
    assert.deepEqual(await zip.read('empty'), text(''));
    assert.deepEqual(await zip.read('empty deflated'), text(''));
    await assert.rejects(zip.read('absent'), /it has no entry "absent"/);
    await assert.rejects(zip.read('deflated', 4999), /has 5000 bytes, more than 4999/);
  });
  test('reads zip64 end records', async () => {
    const zip = await open(testZip([{ name: 'a', bytes: letters, wide: true }], { wide: true }));
    assert.deepEqual(await zip.read('a'), letters);
  });
  test('names are names: nothing is done with a path in them', async () => {
    const zip = await open(testZip([{ name: '../../etc/passwd', bytes: text('x') }]));
    assert.deepEqual(await zip.read('../../etc/passwd'), text('x'));
  });

  const honest: TestEntry = { name: 'a', bytes: letters, deflate: true };
  const refused: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['nothing', text(''), /no directory/],
    ['no zip', letters, /no directory/],
    ['a cut file', testZip([honest]).subarray(0, -30), /no directory/],
    ['two entries of one name', testZip([honest, honest]), /two entries "a"/],
    ['entries in one place', testZip([honest, { ...honest, name: 'b', offset: 0 }]), /in the place of another/],
    ['an encrypted entry', testZip([{ ...honest, flags: 1 }]), /"a" is encrypted/],
    ['too many entries', testZip([honest], { count: 40_000 }), /said to have 40000 entries/],
    [
      'one entry too many',
      testZip([honest, { ...honest, name: 'b'.repeat(99) }], { count: 3 }),
      /entry 2 of its directory/,
    ],
    ['an entry beyond the end', testZip([{ ...honest, compressedSize: 1e6 }]), /at 0 to 1000030 of/],
    ['an offset beyond all', testZip([{ ...honest, wide: true, offset: 2 ** 52 }]), /"a" is said to be at/],
  ];
  for (const [label, bytes, message] of refused) {
    test(`refuses ${label}`, () =>
      assert.rejects(open(bytes), (error: Error) => {
        assert.equal(error.name, 'WeightsError');
        assert.match(error.message, message);
        return true;
      }));
  }

  const damaged: readonly (readonly [string, Partial<TestEntry>, RegExp])[] = [
    ['a bomb that hides its size', { size: 100 }, /inflates to more than its 100 bytes/],
    ['a bomb that says its size', { size: 2 ** 31 }, /2147483648 bytes/],
    ['a stream that gives too little', { size: 6000 }, /inflates to 5000 bytes, not 6000/],
    ['a cut stream', { compressedSize: 20 }, /is damaged/],
    ['a wrong checksum', { crc: 7 }, /its checksum is wrong/],
    ['a method of its own', { method: 14 }, /compressed by method 14/],
    ['a stored entry of two sizes', { deflate: false, size: 4000 }, /sizes 4000 and 5000 differ/],
  ];
  for (const [label, change, message] of damaged) {
    test(`refuses to read ${label}`, async () => {
      const zip = await open(testZip([{ ...honest, ...change }]));
      await assert.rejects(zip.read('a'), message);
      await assert.rejects(async () => (await zip.open('a')).read(0, 1), message);
    });
  }
  test('a stream of noise is refused', async () => {
    const noise = Uint8Array.from({ length: 300 }, (_, i) => (i * 7919) >> 3);
    const zip = await open(testZip([{ name: 'a', bytes: noise, method: 8, size: 1000 }]));
    await assert.rejects(zip.read('a'), /"a" is damaged/);
  });
});

test('crc32 is that of zlib', () => {
  assert.equal(crc32(letters), nodeCrc32(letters));
  assert.equal(crc32(text('')), 0);
});

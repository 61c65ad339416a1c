import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { appendZip, packedFiles } from './zip.ts';

const model = Uint8Array.from({ length: 1001 }, (_, i) => i);
const files = [
  { name: 'labels.txt', data: new TextEncoder().encode('ant\nbee\n') },
  { name: 'été.json', data: new Uint8Array() },
];

test('files packed behind a model are found again, and the model is as it was', () => {
  const packed = appendZip(model, files);
  assert.deepEqual(packed.subarray(0, model.length), model);
  assert.deepEqual(
    packedFiles(packed).map(({ name, data }) => ({ name, data: Uint8Array.from(data) })),
    files,
  );
  // The checksum stands in the local header, 14 bytes after its start.
  const view = new DataView(packed.buffer);
  assert.equal(view.getUint32(model.length + 14, true), crc32(files[0].data));
  assert.equal(view.getUint32(model.length, true), 0x04034b50);
});

test('a file without an archive, and a damaged one, have no files', () => {
  assert.deepEqual(packedFiles(model), []);
  assert.deepEqual(packedFiles(new Uint8Array()), []);
  const packed = appendZip(model, files);
  for (let cut = 1; cut < 200; cut++) packedFiles(packed.subarray(0, packed.length - cut));
});

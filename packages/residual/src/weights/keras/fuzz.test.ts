import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../data/random.ts';
import { WeightsError } from '../errors.ts';
import { noSiblings } from '../reader.ts';
import { bytesSource } from '../source.ts';
import { fuzzReader } from '../testing/fuzzing.ts';
import { mutate } from '../testing/mutations.ts';
import type { KerasFile } from './keras-file.ts';
import { readKeras } from './read-keras.ts';
import { fixture } from './testing.ts';

const cases = (names: readonly string[]) =>
  names.map((name) => ({ label: name, main: name, files: { [name]: fixture(name) } }));
const tiny = cases(['tiny3.h5', 'tiny.weights.h5', 'tiny3.keras', 'tiny2.h5']);

test('damaged files give clear errors', async () => {
  const hostile = ['lzf.h5', 'huge.h5', 'chunk.h5', 'outside.h5', 'link.h5', 'loop.h5', 'text.h5', 'virtual.h5'];
  const { accepted, refused } = await fuzzReader({
    module: new URL('./read-keras.ts', import.meta.url),
    reader: 'readKeras',
    valid: tiny,
    hostile: cases([...hostile, 'cycle.weights.h5'].map((name) => `hostile-${name}`)),
  });
  assert.ok(accepted > 100 && refused > 500, `${accepted} accepted, ${refused} refused`);
});

test('a file on which HDF5 runs in circles is given up, and the next is read', async () => {
  // Zeros in the B-tree of a group, found by the test above.
  const { files, main } = mutate(tiny, Random.at(1, 0xf022, 872));
  const open = (bytes: Uint8Array) => readKeras(bytesSource(bytes, 'x.h5'), noSiblings);
  const whole = await open(fixture('tiny3.h5'));
  await assert.rejects(
    open(files[main] ?? new Uint8Array()),
    /^WeightsError: x\.h5: is damaged: HDF5 does not come to an end$/,
  );
  // Opened before, and in another instance now.
  assert.equal((await whole.tensors[0]?.read())?.length, 54);
  await whole.close();
});

test('what a damaged file leaves behind in the library does not reach the next file', async () => {
  const read = async (bytes: Uint8Array): Promise<(readonly [string, Float32Array])[]> => {
    let file: KerasFile | undefined;
    try {
      file = await readKeras(bytesSource(bytes, 'x'), noSiblings);
      const values = [];
      for (const { name, read } of file.tensors) values.push([name, await read()] as const);
      return values;
    } finally {
      await file?.close();
    }
  };
  const whole = fixture('tiny3.h5');
  const expected = await read(whole);
  for (let i = 0; i < 100; i++) {
    const { files, main } = mutate(tiny, Random.at(7, i));
    await read(files[main] ?? new Uint8Array()).catch((error: unknown) => assert.ok(error instanceof WeightsError));
    if (i % 4 === 0) assert.deepEqual(await read(whole), expected, `after mutant ${i}`);
  }
});

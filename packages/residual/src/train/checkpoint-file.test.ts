import assert from 'node:assert/strict';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type NamedArray, readCheckpointFile, writeCheckpointFile } from './checkpoint-file.ts';

const arrays: NamedArray[] = [
  { name: 'a', shape: [2, 2], values: Float32Array.of(1, -0, Number.NaN, 1e-45) },
  { name: 'empty', shape: [0], values: new Float32Array() },
  { name: 'count', shape: [], values: Int32Array.of(-7) },
];

async function temporary(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'residual-checkpoint-'));
}

test('what is written is read, bit for bit', async () => {
  const file = join(await temporary(), 'new', 'state.bin');
  await writeCheckpointFile(file, { step: 3, text: 'é' }, arrays);
  const { meta, arrays: read } = (await readCheckpointFile(file)) ?? assert.fail('no file');
  assert.deepEqual(meta, { step: 3, text: 'é' });
  assert.deepEqual([...read.values()], arrays);
  assert.ok(Object.is(read.get('a')?.values[1], -0));
});

test('an absent file is undefined, and a damaged one an error that names it', async () => {
  const file = join(await temporary(), 'state.bin');
  assert.equal(await readCheckpointFile(file), undefined);
  await writeCheckpointFile(file, {}, arrays);
  const whole = await readFile(file);
  const damage = async (bytes: Uint8Array, message: RegExp) => {
    await writeFile(file, bytes);
    await assert.rejects(readCheckpointFile(file), message);
  };
  const flipped = Buffer.from(whole);
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
  await damage(flipped, /state\.bin: is damaged \(its values/);
  await damage(whole.subarray(0, whole.length - 4), /is damaged \(its values/);
  await damage(whole.subarray(0, 40), /is damaged \(its header/);
  await damage(Buffer.from('{}'), /is no checkpoint of this version/);
});

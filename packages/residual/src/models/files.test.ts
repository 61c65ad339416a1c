import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { WriteError } from './errors.ts';
import { removeAsides, writeAside } from './files.ts';

const temporary = () => mkdtemp(join(tmpdir(), 'residual-files-'));

test('a file appears with its folder, and is replaced', async () => {
  const folder = join(await temporary(), 'a', 'b');
  const file = join(folder, 'x.txt');
  await writeAside(file, ['one ', new TextEncoder().encode('two')]);
  assert.equal(await readFile(file, 'utf8'), 'one two');
  await writeAside(file, ['three']);
  assert.equal(await readFile(file, 'utf8'), 'three');
  assert.deepEqual(await readdir(folder), ['x.txt']);
});

test('a write that fails half-way leaves the old file and nothing beside it', async () => {
  const folder = await temporary();
  const file = join(folder, 'x.txt');
  await writeAside(file, ['old']);
  await assert.rejects(writeAside(file, ['new', 7 as unknown as string]), WriteError);
  assert.equal(await readFile(file, 'utf8'), 'old');
  assert.deepEqual(await readdir(folder), ['x.txt']);
});

test('the error says which file and why, in one line', async () => {
  const folder = await temporary();
  await writeFile(join(folder, 'file'), '');
  await mkdir(join(folder, 'folder'));
  const fails = (path: string, message: RegExp) =>
    assert.rejects(writeAside(join(folder, path), ['x']), (error) => {
      assert.ok(error instanceof WriteError && message.test(error.message), String(error));
      return true;
    });
  await fails('file/x', /^cannot write .*file.x: part of the path is a file, not a folder$/);
  await fails('folder', /^cannot write .*folder: a folder of that name is in the way$/);
});

test('when space runs out the old file stays', { skip: process.platform === 'win32' }, async () => {
  const folder = await temporary();
  const file = join(folder, 'x.bin');
  await writeAside(file, ['old']);
  // A limit on the size of files stands in for a full disk: the kernel refuses the write half-way.
  const code = `
    import { writeAside } from ${JSON.stringify(import.meta.resolve('./files.ts'))};
    try { await writeAside(${JSON.stringify(file)}, [new Uint8Array(1 << 20)]); }
    catch (error) { console.log(error.name, error.code); }`;
  const limited = ['-c', 'ulimit -f 64 && exec "$0" "$@"', process.execPath, '--input-type=module', '-e', code];
  const { stdout, stderr } = spawnSync('sh', limited, { encoding: 'utf8' });
  assert.equal(stdout, 'WriteError EFBIG\n', stderr);
  assert.equal(await readFile(file, 'utf8'), 'old');
  assert.deepEqual(await readdir(folder), ['x.bin']);
});

test('what killed processes left is removed, and nothing else', async () => {
  const folder = await temporary();
  for (const name of ['state.bin', 'state.bin.tmp-123-0', 'notes.tmp', 'state.bin.tmp-1']) {
    await writeFile(join(folder, name), '');
  }
  await removeAsides(folder);
  assert.deepEqual((await readdir(folder)).sort(), ['notes.tmp', 'state.bin', 'state.bin.tmp-1']);
  await removeAsides(join(folder, 'absent'));
});

/** Versions come and go as their files do, and nobody who uses one loses it. */

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { OpenClassifier } from './classifier.ts';
import { ModelStore } from './model-store.ts';
import { brightness, type FakeClassifier } from './testing.ts';
import { findVersions } from './versions.ts';

async function setUp(t: { after(fn: () => unknown): void }, keep = 1) {
  const folder = await mkdtemp(join(tmpdir(), 'residual-store-'));
  t.after(() => rm(folder, { recursive: true }));
  const opened: { path: string; classifier: FakeClassifier }[] = [];
  const bad = new Set<string>();
  const open: OpenClassifier = async (path) => {
    if (bad.has(path)) throw new Error(`${path}: damaged`);
    const classifier = brightness();
    opened.push({ path, classifier });
    return classifier;
  };
  const put = async (version: number, text = 'x') => {
    const path = join(folder, String(version));
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'model.json'), text);
    return path;
  };
  const failures: unknown[] = [];
  const store = new ModelStore({
    sources: [{ name: 'm', path: folder }],
    open,
    maxBatch: 2,
    keep,
    onEvent: (event) => void (event.kind === 'failed' && failures.push(event.error)),
  });
  const versions = () => store.versions('m').map(({ version }) => version);
  return { folder, opened, bad, put, store, versions, failures };
}

test('numbered folders are versions, the newest first; others are not', async (t) => {
  const { folder, put } = await setUp(t);
  for (const version of [2, 10, 1]) await put(version);
  for (const name of ['0', '03', 'old', '4.tmp']) await mkdir(join(folder, name));
  await writeFile(join(folder, 'README'), '');
  assert.deepEqual(
    (await findVersions(folder)).map(({ version }) => version),
    [10, 2, 1],
  );
  await rm(join(folder, '2', 'model.json'));
  await writeFile(join(folder, '2', 'model.tflite'), 'x');
  assert.equal((await findVersions(folder))[1]?.path, join(folder, '2', 'model.tflite'));
  assert.deepEqual(await findVersions(join(folder, 'nowhere')), []);
});

test('a new version takes over when its files keep still; the old one goes with its last user', async (t) => {
  const { put, store, versions, opened } = await setUp(t);
  await put(1);
  await store.start();
  const old = store.acquire('m');
  await put(2);
  await store.refresh();
  assert.deepEqual(versions(), [1], 'it may still be copied');
  await put(2, 'longer');
  await store.refresh();
  assert.deepEqual(versions(), [1], 'it has changed since');
  await store.refresh();
  assert.deepEqual(versions(), [2]);
  assert.equal(opened[0]?.classifier.disposed, false);
  assert.equal((await old.servable.run([{ kind: 'bytes', values: new Uint8Array(48) }], 1)).length, 1);
  old.release();
  old.release();
  assert.equal(opened[0]?.classifier.disposed, true);
  assert.equal(opened[1]?.classifier.disposed, false);
  await store.close();
  assert.equal(opened[1]?.classifier.disposed, true);
});

test('a version that does not load leaves the old one, and is tried again when its files change', async (t) => {
  const { put, store, versions, bad, failures } = await setUp(t);
  await put(1);
  await store.start();
  bad.add(await put(2));
  for (let i = 0; i < 4; i++) await store.refresh();
  assert.deepEqual(versions(), [1]);
  assert.equal(failures.length, 1, 'tried once');
  assert.deepEqual(
    store.status('m').map(({ version, state }) => [version, state]),
    [
      [2, 'END'],
      [1, 'AVAILABLE'],
    ],
  );
  assert.match(store.status('m')[0]?.message ?? '', /damaged/);
  bad.clear();
  await put(2, 'whole');
  for (let i = 0; i < 2; i++) await store.refresh();
  assert.deepEqual(versions(), [2]);
});

test('some versions at once; one whose folder is gone goes, but never the last', async (t) => {
  const { folder, put, store, versions } = await setUp(t, 2);
  for (const version of [1, 2, 3]) await put(version);
  await store.start();
  assert.deepEqual(versions(), [3, 2]);
  assert.throws(() => store.acquire('m', 1), /model m has no version 1; it has 3, 2/);
  assert.throws(() => store.acquire('n'), /there is no model 'n'; there are m/);
  await rm(join(folder, '3'), { recursive: true });
  for (let i = 0; i < 2; i++) await store.refresh();
  assert.deepEqual(versions(), [2, 1]);
  await rm(folder, { recursive: true });
  for (let i = 0; i < 2; i++) await store.refresh();
  assert.deepEqual(versions(), [2]);
  await mkdir(folder);
});

test('a model in place is loaded again when its files change', async (t) => {
  const { put, store, opened } = await setUp(t);
  await put(1);
  await store.start();
  await put(1, 'other weights');
  for (let i = 0; i < 2; i++) await store.refresh();
  assert.equal(opened.length, 2);
  assert.equal(opened[0]?.classifier.disposed, true);
  assert.equal(store.acquire('m').servable.classifier, opened[1]?.classifier);
});

test('a model without a version stops the start', async (t) => {
  const { store, folder, bad } = await setUp(t);
  bad.add(folder);
  await assert.rejects(store.start(), /damaged/);
});

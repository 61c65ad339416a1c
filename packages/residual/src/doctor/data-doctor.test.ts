/** Each mistake that people make with folders of pictures, made on purpose, and found. */

import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import sharp from 'sharp';
import { closeSplits } from '../data/dataset.ts';
import { memorySplits, shared } from '../data/node/memory-splits.ts';
import { openData } from '../data/node/open.ts';
import { Random } from '../data/random.ts';
import { type Diagnosis, diagnose, diagnosisJson, verdictOf } from './data-doctor.ts';
import { dataPage } from './data-page.ts';

let root = '';
let found: Diagnosis;
let page = '';

/** A picture of coloured circles, different for each seed. */
function circles(seed: number, width = 96, height = 72) {
  const random = Random.at(seed);
  const u = (most: number) => random.uniform(0, most).toFixed(1);
  const shapes = Array.from(
    { length: 9 },
    () => `<circle cx="${u(width)}" cy="${u(height)}" r="${u(height / 3)}" fill="hsl(${u(360)},70%,${u(90)}%)"/>`,
  );
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" fill="hsl(${u(360)},50%,50%)"/>${shapes.join('')}</svg>`;
  return sharp(Buffer.from(svg)).flatten();
}

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'residual-doctor-'));
  const put = async (name: string, bytes: Uint8Array | string) => {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), bytes);
  };
  let seed = 1;
  const jpeg = (width?: number, height?: number) => circles(seed++, width, height).jpeg({ quality: 92 });
  for (const [part, counts] of Object.entries({ train: { cat: 40, dog: 12 }, test: { cat: 4, dog: 4 } })) {
    for (const [name, n] of Object.entries(counts)) {
      for (let i = 0; i < n; i++) await put(`${part}/${name}/${i}.jpg`, await jpeg().toBuffer());
    }
  }
  const whole = await jpeg().toBuffer();
  await put('train/cat/cut.jpg', whole.subarray(0, whole.length >> 1));
  await put('train/cat/text.jpg', 'this is no picture');
  await put('train/cat/empty.png', '');
  await put('train/cat/phone.heic', 'HEIC');
  await put('train/cat/named-wrongly.jpg', await circles(seed++).png().toBuffer());
  await put('train/cat/turned.jpg', await jpeg().withMetadata({ orientation: 6 }).toBuffer());
  await put(
    'train/cat/black.png',
    await sharp({ create: { width: 90, height: 70, channels: 3, background: '#000' } })
      .png()
      .toBuffer(),
  );
  await put('train/cat/grey.jpg', await jpeg().greyscale().toBuffer());
  await put('train/cat/long.jpg', await jpeg(300, 60).toBuffer());
  await put(
    'train/cat/tiny.png',
    await sharp(await circles(seed++).png().toBuffer())
      .resize(12, 9)
      .png()
      .toBuffer(),
  );
  await put(
    'test/dog/seen-smaller.jpg',
    await sharp(join(root, 'train/dog/3.jpg')).resize(64).jpeg({ quality: 60 }).toBuffer(),
  );
  await copyFile(join(root, 'train/cat/1.jpg'), join(root, 'train/dog/also-a-cat.jpg'));
  await copyFile(join(root, 'train/cat/2.jpg'), join(root, 'train/cat/twice.jpg'));
  await copyFile(join(root, 'train/cat/4.jpg'), join(root, 'test/cat/leaked.jpg'));
  const splits = await openData(root, { validation: 0 });
  found = await diagnose(splits, { workers: 2 });
  page = await dataPage(found, splits, new Date(0));
  await closeSplits(splits);
});

after(() => rm(root, { recursive: true }));

/** The names of the pictures, and of other entries, of a finding. */
function namesOf(kind: string): string[] {
  const finding = found.findings.find((one) => one.kind === kind);
  assert.ok(finding !== undefined, `${kind} is not among ${found.findings.map((one) => one.kind)}`);
  return [
    ...finding.cases.flatMap(({ pictures }) => pictures.map(({ name }) => name)),
    ...(finding.entries ?? []).map(({ name }) => name),
  ].map((name) => name.replace(`${root}/`, ''));
}

test('files that cannot be used, and files that are not what they seem', () => {
  assert.deepEqual(namesOf('truncated-files'), ['train/cat/cut.jpg']);
  assert.deepEqual(namesOf('unreadable-files'), ['train/cat/text.jpg']);
  assert.deepEqual(namesOf('left-out-files'), ['train/cat/empty.png', 'train/cat/phone.heic']);
  assert.deepEqual(namesOf('wrong-extensions'), ['train/cat/named-wrongly.jpg']);
  assert.deepEqual(namesOf('exif-rotation'), ['train/cat/turned.jpg']);
});

test('copies within a class, between classes, and between parts, exact and near', () => {
  assert.deepEqual(namesOf('exact-copies-within-class'), ['train/cat/2.jpg', 'train/cat/twice.jpg']);
  assert.deepEqual(namesOf('exact-copies-across-classes'), ['train/cat/1.jpg', 'train/dog/also-a-cat.jpg']);
  assert.deepEqual(namesOf('exact-copies-across-parts'), ['train/cat/4.jpg', 'test/cat/leaked.jpg']);
  assert.deepEqual(namesOf('near-copies-across-parts'), ['train/dog/3.jpg', 'test/dog/seen-smaller.jpg']);
});

test('pictures that show nothing, or are unlike the others', () => {
  assert.deepEqual(namesOf('blank-pictures'), ['train/cat/black.png']);
  assert.deepEqual(namesOf('small-pictures'), ['train/cat/tiny.png']);
  assert.deepEqual(namesOf('extreme-shapes'), ['train/cat/long.jpg']);
  assert.deepEqual(namesOf('grey-among-colour').sort(), ['train/cat/black.png', 'train/cat/grey.jpg']);
});

test('imbalance and small classes', () => {
  assert.deepEqual(namesOf('class-imbalance'), ['dog', 'cat']);
  assert.deepEqual(namesOf('small-classes'), ['dog']);
});

test('nothing else is found, and the worst comes first', () => {
  assert.equal(found.findings.length, 15, found.findings.map(({ kind }) => kind).join(', '));
  assert.deepEqual(verdictOf(found), { problem: 5, warning: 7, note: 3 });
  assert.equal(found.findings[0].severity, 'problem');
  const json = JSON.parse(JSON.stringify(diagnosisJson(found)));
  assert.equal(json.findings.length, 15);
  assert.equal(json.pictures, found.pictures);
});

test('the page is one file with pictures in it, and loads nothing', () => {
  assert.ok(page.startsWith('<!doctype html>'));
  assert.ok((page.match(/src="data:image\/webp/g) ?? []).length > 12);
  assert.doesNotMatch(page, /(src|href)="(?!data:|#)|undefined|NaN|\[object/);
  assert.match(page, /cut\.jpg/);
});

test('a set in memory is looked through as well, and a clean one is left in peace', async (t) => {
  const random = Random.at(8);
  const side = 16;
  const pixels = shared(Uint8Array.from({ length: 80 * side * side }, () => random.integer(256)));
  pixels.copyWithin(70 * side * side, 3 * side * side, 4 * side * side);
  pixels.fill(9, 71 * side * side, 72 * side * side);
  const labels = Int32Array.from({ length: 80 }, (_, i) => i % 2);
  const made = async (count: number) => {
    const part = { pixels: shared(pixels.subarray(0, count * side * side)), labels: labels.slice(0, count) };
    const splits = await memorySplits('made', ['a', 'b'], [side, side, 1], { train: part }, { validation: 0 });
    t.after(() => closeSplits(splits));
    return diagnose(splits);
  };
  assert.deepEqual((await made(70)).findings, []);
  const { findings } = await made(80);
  assert.deepEqual(
    findings.map(({ kind, cases }) => [kind, cases.flatMap(({ pictures }) => pictures.map(({ name }) => name))]),
    [
      ['exact-copies-across-classes', ['train#3', 'train#70']],
      ['blank-pictures', ['train#71']],
    ],
  );
});

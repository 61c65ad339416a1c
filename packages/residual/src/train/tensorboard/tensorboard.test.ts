import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import { crc32c, maskedCrc32c } from '../../weights/crc32c.ts';
import { tensorBoard } from '../callbacks/tensorboard.ts';
import { readHistory, type StepRecord } from '../history.ts';
import { sgd } from '../sgd.ts';
import { halvesSplits, tinyModel } from '../testing.ts';
import { train } from '../train.ts';
import { startEvent, summaryEvent, versionEvent } from './event.ts';
import { histogramOf } from './histogram.ts';
import { tfRecord } from './record.ts';

/** A file that TensorBoard's EventAccumulator reads with these values: interop/tensorboard/verify.py checks it. */
const fixture = join(import.meta.dirname, 'fixtures', 'events.out.tfevents.1700000000.fixture');

/** What the fixture holds. */
function fixtureRecords(): Uint8Array[] {
  const png = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAC0lEQVR4nGNgaAAAAIMAgX0ANg4AAAAASUVORK5CYII=',
    'base64',
  );
  const values = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i));
  return [
    versionEvent(1_700_000_000),
    summaryEvent(1_700_000_001.5, 1, [
      { tag: 'train/loss', scalar: 2.5 },
      { tag: 'train/accuracy', scalar: 0.125 },
    ]),
    summaryEvent(1_700_000_002, 300, [{ tag: 'train/loss', scalar: -1e-20 }]),
    startEvent(1_700_000_003, 200), // forgets step 300
    summaryEvent(1_700_000_004, 5_000_000_000, [{ tag: 'train/loss', scalar: 0.75 }]),
    summaryEvent(1_700_000_005, 7, [{ tag: 'image', image: { height: 1, width: 2, channels: 1, png } }]),
    summaryEvent(1_700_000_006, 8, [{ tag: 'weights/ç', histogram: histogramOf(values) }]),
  ];
}

test('CRC-32C is that of RFC 3720, and its mask that of TensorFlow', () => {
  const text = new TextEncoder().encode('123456789');
  assert.equal(crc32c(text), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  // rotate right 15, add: by hand from 0xe3069283.
  assert.equal(maskedCrc32c(text), (0x2507c60d + 0xa282ead8) % 2 ** 32);
});

test('an event file is byte for byte the one that a real TensorBoard has read', async () => {
  const bytes = Buffer.concat(fixtureRecords());
  if (process.env.UPDATE_FIXTURES === '1') await writeFile(fixture, bytes);
  assert.deepEqual(bytes, await readFile(fixture));
});

test('a histogram counts every finite value once', () => {
  const { min, max, count, sum, sumOfSquares, limits, counts } = histogramOf(
    Float32Array.of(-1, 0, 0, 3, Number.NaN, 1.5, Number.POSITIVE_INFINITY),
  );
  assert.deepEqual([min, max, count, sum, sumOfSquares], [-1, 3, 5, 3.5, 12.25]);
  assert.equal(
    counts.reduce((a, b) => a + b),
    5,
  );
  assert.equal(limits.at(-1), 3);
  // Values fall where a reader finds them: below or at their bucket's limit.
  assert.equal(counts[limits.findIndex((limit) => limit > 0)], 2);
  assert.deepEqual(histogramOf(Float32Array.of(2, 2)).counts, [2]);
  assert.equal(histogramOf(new Float32Array(0)).count, 0);
});

/** Frames of a file, checked, as [step, tags] of what they summarise; a protobuf reader of its own for the few fields. */
async function stepsIn(
  file: string,
): Promise<{ readonly step: number; readonly tags: string[]; readonly scalar: number }[]> {
  const bytes = await readFile(file);
  const events = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    const data = bytes.subarray(at + 12, at + 12 + length);
    assert.deepEqual(bytes.subarray(at, at + 16 + length), Buffer.from(tfRecord(data)));
    at += 16 + length;
    const event = fields(data);
    const values = fields(event.get(5)?.[0]).get(1) ?? [];
    if (values.length === 0) continue;
    const tags = values.map((value) => (fields(value).get(1)?.[0] ?? Buffer.alloc(0)).toString());
    const scalar = fields(values[0]).get(2)?.[0]?.readFloatLE() ?? Number.NaN;
    events.push({ step: varint(event.get(2)?.[0] ?? Buffer.from([0])), tags, scalar });
  }
  return events;
}

function fields(data: Buffer | undefined): Map<number, Buffer[]> {
  const found = new Map<number, Buffer[]>();
  for (let at = 0; data && at < data.length; ) {
    const [key, begin] = [data[at] ?? 0, at + 1];
    const ends = (from: number) => data.findIndex((byte, i) => i >= from && byte < 128) + 1;
    let [start, end] = [begin, begin];
    if ((key & 7) === 0) end = ends(begin);
    else if ((key & 7) === 1) end = begin + 8;
    else if ((key & 7) === 5) end = begin + 4;
    else {
      start = ends(begin);
      end = start + varint(data.subarray(begin, start));
    }
    found.set(key >> 3, [...(found.get(key >> 3) ?? []), data.subarray(start, end)]);
    at = end;
  }
  return found;
}

const varint = (bytes: Buffer) => bytes.reduce((sum, byte, i) => sum + (byte & 127) * 128 ** i, 0);

test('a run in sittings has each step once in its event files, with the values of the history', async () => {
  const directory = join(await mkdtemp(join(tmpdir(), 'residual-events-')), 'run');
  const ends = [9, 16];
  for (let sitting = 0; sitting <= ends.length; sitting++) {
    // The second sitting dies in step 12; its files are then ahead of the checkpoint.
    const dies = sitting === 1;
    const controller = new AbortController();
    const sittings = train(tinyModel(), halvesSplits(), {
      ...{ epochs: 4, batchSize: 8, seed: 5, optimizer: sgd({ learningRate: 0.05 }) },
      directory,
      resume: sitting > 0,
      signal: controller.signal,
      callbacks: [tensorBoard({ images: 3 })],
      onStep: ({ step }) => {
        if (dies && step === 12) throw new Error('killed');
        if (!dies && step === ends[sitting]) controller.abort();
      },
    });
    await (dies ? assert.rejects(sittings, /killed/) : sittings);
    if (dies) ends.splice(1, 0, 12);
  }
  const folder = join(directory, 'tensorboard');
  const names = (await readdir(folder)).sort();
  const events = (await Promise.all(names.map((name) => stepsIn(join(folder, name))))).flat();
  const steps = (await readHistory(join(directory, 'history.jsonl'))).filter(
    (one): one is StepRecord => one.type === 'step',
  );
  const losses = events.filter(({ tags }) => tags[0] === 'train/loss');
  assert.deepEqual(
    losses.map(({ step }) => step),
    steps.map(({ step }) => step),
  );
  assert.deepEqual(
    losses.map(({ scalar }) => scalar),
    steps.map(({ loss }) => Math.fround(loss)),
  );
  const epochs = events.filter(({ tags }) => tags[0] === 'epoch/loss');
  assert.deepEqual(
    epochs.map(({ step }) => step),
    [7, 14, 21, 28],
  );
  assert.deepEqual(epochs[0]?.tags, ['epoch/loss', 'epoch/accuracy', 'validation/loss', 'validation/accuracy']);
  assert.equal(events.filter(({ tags }) => tags.includes('weights/conv/kernel')).length, 4);
  assert.deepEqual(events.find(({ tags }) => tags[0] === 'train/images/0')?.tags.length, 3);
});

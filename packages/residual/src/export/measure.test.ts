import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answers, accuracyOf, agreementOf, answersOf, type Pictures } from './measure.ts';
import type { RunningFile } from './runtime.ts';
import { objections } from './verdict.ts';

const answers = (outputs: number[], gives: Answers['gives'] = 'logits', labels?: number[]): Answers => ({
  images: outputs.length / 2,
  classes: 2,
  outputs: Float32Array.from(outputs),
  gives,
  latency: 1,
  ...(labels ? { labels: Int32Array.from(labels) } : {}),
});

test('accuracy and agreement', () => {
  const original = answers([4, 0, 0, 4, 1, 2], 'logits', [0, 1, 0]);
  assert.equal(accuracyOf(original), 2 / 3);
  assert.equal(accuracyOf(answers([1, 0])), undefined);
  const { same, difference } = agreementOf(original, answers([4, 0, 0, 3, 2, 1]));
  assert.equal(same, 2 / 3);
  assert.equal(difference, 1 / 4);
  const asProbabilities = answers([1 / (1 + Math.exp(-4)), 1 / (1 + Math.exp(4))], 'probabilities');
  assert.ok(agreementOf(answers([4, 0]), asProbabilities).difference < 1e-6);
  assert.ok(agreementOf(asProbabilities, answers([4, 0])).difference < 1e-6);
  assert.ok(Number.isNaN(agreementOf(answers([4, 0]), answers([Number.NaN, 0])).difference));
});

test('what is refused, and why', () => {
  const fine = { same: 1, difference: 1e-6 };
  assert.deepEqual(objections({ precision: 'float32', agreement: fine, accuracy: 0.9, originalAccuracy: 0.9 }, 1), []);
  const apart = { same: 1, difference: 2e-4 };
  assert.match(objections({ precision: 'float32', agreement: apart }, 1)[0] ?? '', /by 2e-4|by 0\.0002/);
  assert.deepEqual(objections({ precision: 'float16', agreement: apart }, 1), []);
  const nothing = { same: 1, difference: Number.NaN };
  assert.equal(objections({ precision: 'float32', agreement: nothing }, 1).length, 1);
  const worse = { precision: 'int8', agreement: { same: 0.97, difference: 0.1 }, originalAccuracy: 0.9 } as const;
  assert.deepEqual(objections({ ...worse, accuracy: 0.891 }, 1), []);
  assert.match(objections({ ...worse, accuracy: 0.88 }, 1).join(), /^its accuracy is 2\.0 points below the model's/);
  assert.match(objections({ ...worse, accuracy: 0.9, agreement: { same: 0.5, difference: 0 } }, 1).join(), /50\.0 %/);
});

test('pictures reach a file as it wants them, in batches of one size', async () => {
  const seen: { values: number[]; batch: number }[] = [];
  const file = (range: 'bytes' | 'normalised'): RunningFile => ({
    info: {
      architecture: 'none',
      classes: ['a', 'b'],
      preprocessing: { inputShape: [1, 1, 2], resize: 'cover', mean: [0, 0.5], std: [1, 0.5] },
      layout: 'NHWC',
      range,
      gives: 'logits',
      precision: 'float32',
    },
    runtime: 'none',
    input: 'float32',
    async run(images, batch) {
      seen.push({ values: [...images], batch });
      return images;
    },
    async close() {},
  });
  const pictures: Pictures = {
    count: 3,
    async *batches() {
      yield { bytes: Float32Array.of(0, 255, 255, 0), labels: Int32Array.of(1, 1) };
      yield { bytes: Float32Array.of(255, 255), labels: Int32Array.of(0) };
    },
  };
  const raw = await answersOf(file('bytes'), pictures, { batchSize: 2, repeats: 1 });
  assert.deepEqual([...raw.outputs], [0, 255, 255, 0, 255, 255]);
  assert.deepEqual([...(raw.labels ?? [])], [1, 1, 0]);
  assert.deepEqual(seen[1], { values: [255, 255, 0, 0], batch: 2 });
  const normalised = await answersOf(file('normalised'), pictures, { batchSize: 2, repeats: 1 });
  assert.deepEqual([...normalised.outputs], [0, 1, 1, -1, 1, 1]);
});

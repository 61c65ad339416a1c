import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../data/random.ts';
import { reviewLabels } from './confident-learning.ts';
import { plantNoise, recallAt } from './planted-noise.ts';

const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual}, ${expected}`);

test('thresholds, confident joint and noise are what a count by hand gives', () => {
  // biome-ignore format: probabilities of two classes
  const probabilities = [
    .9, .1,   .8, .2,   .3, .7,  // labelled 0: threshold 2/3; the last is confidently 1
    .2, .8,   .4, .6,            // labelled 1: threshold 0.7; the last reaches neither threshold
  ];
  const review = reviewLabels({ labels: [0, 0, 0, 1, 1], probabilities, classes: 2 });
  close(review.thresholds[0], (0.9 + 0.8 + 0.3) / 3);
  close(review.thresholds[1], 0.7);
  assert.deepEqual([...review.confidentJoint], [2, 1, 0, 1]);
  // Rows scaled to 3 and 2 samples: [2, 1] and [0, 2], of 5.
  [0.4, 0.2, 0, 0.4].forEach((expected, cell) => close(review.joint[cell], expected));
  close(review.noise, 0.2);
  assert.equal(review.suspects, 1);
  assert.deepEqual(
    review.ranked.map(({ index }) => index),
    [2, 4, 1, 3, 0],
  );
  const [worst] = review.ranked;
  assert.deepEqual([worst.given, worst.suggested, worst.suspect], [0, 1, true]);
  close(worst.score, 0.3);
  const margin = reviewLabels({ labels: [0, 0, 0, 1, 1], probabilities, classes: 2 }, { ranking: 'normalized-margin' });
  close(margin.ranked[0].score, (0.3 - 0.7 + 1) / 2);
});

test('of two confident classes the more probable counts, and a class without samples is taken for nothing', () => {
  const probabilities = [0.5, 0.4, 0.1, 0.4, 0.5, 0.1];
  const { confidentJoint, thresholds } = reviewLabels({ labels: [0, 1], probabilities, classes: 3 });
  assert.deepEqual([...confidentJoint], [1, 0, 0, 0, 1, 0, 0, 0, 0]);
  assert.equal(thresholds[2], 1);
});

test('finds labels that were planted among uncertain predictions, and estimates how many', () => {
  const [size, classes] = [2000, 5];
  const random = Random.at(2);
  const truth = Int32Array.from({ length: size }, () => random.integer(classes));
  const { labels, planted } = plantNoise(truth, classes, 0.05, 6);
  const probabilities = [...truth].flatMap((label) => {
    // Nine in ten are called rightly, with more or less confidence.
    const called = random.boolean(0.9) ? label : random.integer(classes);
    const confidence = random.uniform(0.4, 0.95);
    return Array.from({ length: classes }, (_, k) => (k === called ? confidence : (1 - confidence) / (classes - 1)));
  });
  const review = reviewLabels({ labels, probabilities, classes });
  assert.ok(recallAt(0.16, review.ranked, planted) > 0.85);
  assert.ok(recallAt(0.05, review.ranked, planted) > 5 * 0.05);
  assert.ok(review.noise > 0.05 && review.noise < 0.2, String(review.noise));
});

test('what does not belong together is refused', () => {
  assert.throws(
    () => reviewLabels({ labels: [0], probabilities: [1], classes: 2 }),
    /need 2 probabilities, received 1/,
  );
  assert.throws(() => reviewLabels({ labels: [2], probabilities: [1, 0], classes: 2 }), /from 0 to 1, received 2/);
});

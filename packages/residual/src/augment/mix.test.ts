import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../data/random.ts';
import { cutMix, cutMixPair } from './cut-mix.ts';
import { beta, dirichlet, gamma, normal } from './distributions.ts';
import { mixImages } from './mix.ts';
import { mixup, mixupPair } from './mixup.ts';

const size = { height: 6, width: 9 };
const length = 54 * 2;

/** Image i holds the value i. */
const images = (count: number) => Float32Array.from({ length: count * length }, (_, i) => Math.floor(i / length));
const mixup1 = { probability: 1, mix: mixupPair(mixup({ alpha: 1 })) };
const cutMix1 = { probability: 1, mix: cutMixPair(cutMix()) };

test('mixup: each place holds its share of its own image and the rest of its partner’s', () => {
  const batch = images(7);
  const { partners, shares } = mixImages([mixup1], batch, 7, size, Random.at(1));
  assert.deepEqual([...partners], [6, 5, 4, 3, 2, 1, 0]);
  assert.equal(shares[3], 1, 'the one in the middle stays as it is');
  for (let i = 0; i < 7; i++) {
    for (let k = 0; k < length; k++) {
      const want = shares[i] * i + (1 - shares[i]) * partners[i];
      assert.ok(Math.abs(batch[i * length + k] - want) < 1e-5);
    }
  }
  assert.equal(new Set(shares).size, 7);
});

test('cutMix: each pixel is one of the two, and the share is counted', () => {
  for (let seed = 0; seed < 50; seed++) {
    const batch = images(4);
    const { partners, shares } = mixImages([cutMix1], batch, 4, size, Random.at(seed));
    for (let i = 0; i < 4; i++) {
      const values = batch.subarray(i * length, (i + 1) * length);
      assert.ok(values.every((value) => value === i || value === partners[i]));
      const own = values.filter((value) => value === i).length / length;
      assert.ok(Math.abs(own - shares[i]) < 1e-6);
    }
  }
});

test('of several mixers each batch gets one, with its probability', () => {
  const never = { probability: 0, mix: mixup1.mix };
  const untouched = images(4);
  assert.deepEqual([...mixImages([never], untouched, 4, size, Random.at(0)).shares], [1, 1, 1, 1]);
  assert.deepEqual(untouched, images(4));
  const kinds = new Set<string>();
  for (let seed = 0; seed < 20; seed++) {
    const batch = images(2);
    mixImages([mixup1, cutMix1], batch, 2, size, Random.at(seed));
    kinds.add(batch.every((value) => value === 0 || value === 1) ? 'cutMix' : 'mixup');
  }
  assert.deepEqual([...kinds].toSorted(), ['cutMix', 'mixup']);
});

test('normal, gamma, beta and Dirichlet numbers have their means and variances', () => {
  const random = Random.at(12);
  const moments = (draw: () => number) => {
    const values = Array.from({ length: 20_000 }, draw);
    const mean = values.reduce((a, b) => a + b) / values.length;
    return [mean, values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length];
  };
  const near = (draw: () => number, mean: number, variance: number) => {
    const [m, v] = moments(draw);
    assert.ok(Math.abs(m - mean) < 0.05 * Math.max(1, mean), `mean ${m}, not ${mean}`);
    assert.ok(Math.abs(v - variance) < 0.08 * Math.max(0.5, variance), `variance ${v}, not ${variance}`);
  };
  near(() => normal(random), 0, 1);
  near(() => gamma(random, 3), 3, 3);
  near(() => gamma(random, 0.4), 0.4, 0.4);
  near(() => beta(random, 0.2, 0.2), 0.5, 0.25 / 1.4);
  near(() => beta(random, 2, 6), 0.25, 12 / (64 * 9));
  near(() => dirichlet(random, 1, 3)[1], 1 / 3, 2 / 36);
  const shares = dirichlet(random, 0.5, 5);
  assert.ok(Math.abs(shares.reduce((a, b) => a + b) - 1) < 1e-12);
  assert.ok(Number.isFinite(beta(random, 0.001, 0.001)));
});

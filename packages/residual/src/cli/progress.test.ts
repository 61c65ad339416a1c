/** The progress line at every width, and its plain form. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawBar, epochLine, type Progress, plainLine, progressLine } from './progress.ts';
import { columns, makeStyle } from './style.ts';

const style = makeStyle(false);
const progress: Progress = {
  epoch: 3,
  epochs: 10,
  step: 62,
  steps: 93,
  loss: 0.4121,
  accuracy: 0.8512,
  imagesPerSecond: 88.4,
  secondsLeft: 151,
};

test('a wide terminal shows everything', () => {
  const line = progressLine(progress, 120, style);
  for (const part of ['epoch 3/10', '62/93', 'loss 0.412', 'accuracy 85.1 %', '88 images/s', '2:31 left', '━']) {
    assert.ok(line.includes(part), `${part} is not in ${line}`);
  }
});

test('no width is passed over, with colours or without, and the epoch is the last to go', () => {
  for (const colours of [false, true]) {
    for (let width = 20; width <= 200; width++) {
      const line = progressLine(progress, width, makeStyle(colours));
      assert.ok(columns(line) <= width, `${columns(line)} columns at width ${width}: ${line}`);
      assert.match(line, /3\/10/);
    }
  }
  assert.match(progressLine(progress, 60, style), /loss 0\.412/);
  assert.doesNotMatch(progressLine(progress, 60, style), /images\/s/);
});

test('the line keeps its width while its numbers grow', () => {
  const early = { ...progress, step: 1, loss: 2.345, accuracy: 0.05, imagesPerSecond: 9.1, secondsLeft: 9 };
  assert.equal(columns(progressLine(early, 110, style)), columns(progressLine(progress, 110, style)));
});

test('what is not known yet is not shown', () => {
  const first = { ...progress, loss: Number.NaN, accuracy: Number.NaN, imagesPerSecond: 0, secondsLeft: Number.NaN };
  assert.doesNotMatch(progressLine(first, 120, style), /NaN|not a number|left|images/);
  assert.equal(plainLine(first), 'epoch 3/10  step 62/93');
});

test('validation takes the place of speed and time', () => {
  const line = progressLine({ ...progress, doing: 'validating 40 %' }, 120, style);
  assert.match(line, /validating 40 %/);
  assert.doesNotMatch(line, /images\/s|left/);
});

test('bars are full at the end, empty at the start, and as wide as they were asked to be', () => {
  for (const unicode of [true, false]) {
    const plain = makeStyle(false, unicode);
    for (const fraction of [0, 0.01, 0.49, 0.5, 0.999, 1, 7, Number.NaN]) {
      assert.equal(columns(drawBar(fraction, 21, plain)), 21);
    }
  }
  assert.equal(drawBar(0.5, 4, style), '━━──');
  assert.equal(drawBar(0.5, 12, makeStyle(false, false)), '[#####.....]');
});

test('lines for logs and for epochs', () => {
  assert.equal(plainLine(progress), 'epoch 3/10  step 62/93  loss 0.412  accuracy 85.1 %  88 images/s  2:31 left');
  const summary = { epoch: 3, epochs: 10, loss: 0.5, accuracy: 0.8, seconds: 130 };
  assert.equal(epochLine(summary, style), 'epoch  3/10  loss 0.500  accuracy 80.0 %  2:10');
  assert.equal(
    epochLine({ ...summary, validationLoss: 0.4, validationAccuracy: 0.9 }, style),
    'epoch  3/10  loss 0.500  accuracy 80.0 %  validation loss 0.400  accuracy 90.0 %  2:10',
  );
});

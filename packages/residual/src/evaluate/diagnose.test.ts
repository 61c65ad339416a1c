import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HistoryRecord } from '../train/history.ts';
import { type DiagnosisContext, diagnose } from './diagnose.ts';

/** Epochs from [training accuracy, validation accuracy, validation loss, training loss]. */
const run = (...epochs: readonly (readonly [number, number?, number?, number?])[]): HistoryRecord[] =>
  epochs.map(([accuracy, validationAccuracy, validationLoss, loss = 1], i) => ({
    ...{ type: 'epoch', epoch: i + 1, step: 10 * (i + 1), loss, accuracy, learningRate: 0.01, seconds: i },
    ...(validationAccuracy === undefined ? {} : { validationAccuracy }),
    ...(validationLoss === undefined ? {} : { validationLoss }),
  }));
const context: DiagnosisContext = {
  classes: 10,
  images: 5000,
  augmentation: 'none',
  weightDecay: 0,
  pretrained: false,
};
const verdictOf = (history: HistoryRecord[], more: Partial<DiagnosisContext> = {}) =>
  diagnose(history, { ...context, ...more })?.verdict;

test('each kind of curve gets its name', () => {
  assert.equal(verdictOf(run([0.5, 0.5, 1.4], [0.8, 0.7, 0.9], [0.95, 0.72, 1.0], [0.99, 0.72, 1.3])), 'overfitting');
  assert.equal(verdictOf(run([0.5, 0.5, 1.4], [0.6, 0.62, 1.1], [0.7, 0.71, 0.9])), 'undertrained');
  assert.equal(verdictOf(run([0.5, 0.5, 1.4], [0.6, 0.6, 1.2], [0.61, 0.6, 1.2], [0.61, 0.6, 1.2])), 'underfitting');
  assert.equal(verdictOf(run([0.11, 0.1, 2.3, 2.29], [0.12, 0.11, 2.29, 2.28])), 'learningRateTooLow');
  assert.equal(verdictOf(run([0.11, 0.1, 5, 7], [0.1, 0.1, 4, 6])), 'learningRateTooHigh');
  assert.equal(verdictOf(run([0.9, 0.91, 0.3], [0.93, 0.93, 0.25], [0.935, 0.931, 0.25])), 'good');
  // Two classes: 0.55 is hardly better than guessing, with a hundred it is much.
  assert.equal(
    verdictOf(run([0.55, 0.55, 0.68, 0.69], [0.56, 0.55, 0.68, 0.69]), { classes: 2 }),
    'learningRateTooLow',
  );
  assert.equal(verdictOf([]), undefined);
  assert.equal(verdictOf(run([0.5], [0.6], [0.7])), 'undertrained');
});

test('the next lever depends on what the run had', () => {
  const history = run([0.5, 0.5, 1.4], [0.8, 0.7, 0.9], [0.95, 0.72, 1.0], [0.99, 0.72, 1.3]);
  const plain = diagnose(history, context);
  assert.match(plain?.next[0] ?? '', /Augment the training images/);
  assert.match(plain?.next.join() ?? '', /Add weight decay.*pretrained weights.*Stop early/);
  assert.match(
    plain?.evidence.join(' ') ?? '',
    /99.0 % of the training images right, 72.0 % .* \(27.0 points less\)\. The validation loss was lowest after epoch 2 \(of 4\)/,
  );
  const strong = diagnose(history, { ...context, augmentation: 'strong', weightDecay: 5e-4, pretrained: true });
  assert.match(strong?.next[0] ?? '', /Raise the weight decay \(it is 0.0005\)/);
  assert.doesNotMatch(strong?.next.join() ?? '', /pretrained|Augment/);
});

test('a run that had to go back says so', () => {
  const setback: HistoryRecord = {
    ...{ type: 'trouble', trouble: 'diverged', step: 7, epoch: 1, backTo: 0, rateScale: 0.1, seconds: 1 },
    message: 'the loss is NaN at step 7: back',
  };
  const diagnosis = diagnose([setback, ...run([0.5, 0.5, 1.4], [0.8, 0.8, 0.9])], context);
  assert.equal(diagnosis?.verdict, 'learningRateTooHigh');
  assert.match(diagnosis?.headline ?? '', /went back 1 time and ended with 0.1 of it/);
  assert.match(diagnosis?.next[0] ?? '', /Begin with about 0.1 of the learning rate/);
});

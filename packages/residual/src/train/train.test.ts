import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { randomCrop, randomFlip } from '../augment/index.ts';
import { evaluate } from '../evaluate/metrics.ts';
import { ModelError, WriteError } from '../models/errors.ts';
import { loadModel } from '../models/saved-model.ts';
import { adamW } from './adamw.ts';
import { type HistoryRecord, readHistory } from './history.ts';
import { binaryCrossEntropy, distillation, focal } from './losses.ts';
import { muon } from './muon.ts';
import type { StepEvent, TrainOptions } from './options.ts';
import { reduceOnPlateau } from './plateau.ts';
import { cosineDecay } from './schedules.ts';
import { sgd } from './sgd.ts';
import { halvesSplits, tinyModel, weightsOf } from './testing.ts';
import { train } from './train.ts';

const temporary = async () => join(await mkdtemp(join(tmpdir(), 'residual-train-')), 'run');
const optimizer = () => sgd({ learningRate: cosineDecay(0.1, 24), momentum: 0.9, nesterov: true, weightDecay: 1e-3 });
/** Three epochs of seven steps and some left-over images. */
const options = (): TrainOptions => ({
  epochs: 3,
  batchSize: 8,
  optimizer: optimizer(),
  labelSmoothing: 0.05,
  transforms: [randomCrop({ padding: 1 }), randomFlip()],
  seed: 5,
});

const steady = (record: HistoryRecord) => {
  const { seconds: _, ...rest } = record;
  return { ...rest, imagesPerSecond: 0 };
};

test('a small network learns, and the run leaves history, checkpoint and model behind', async () => {
  const directory = await temporary();
  const data = halvesSplits();
  const model = tinyModel();
  const steps: StepEvent[] = [];
  const { transforms: _, ...plain } = options();
  const result = await train(model, data, {
    ...plain,
    epochs: 4,
    directory,
    onStep: (event) => void steps.push(event),
  });
  assert.equal(result.interrupted, false);
  assert.equal(result.steps, 28);
  assert.equal(result.epochs.length, 4);
  const [first, last] = [result.epochs[0], result.epochs.at(-1)];
  assert.ok((last?.loss ?? 9) < 0.5 * (first?.loss ?? 0), JSON.stringify(result.epochs));
  assert.ok((last?.validationAccuracy ?? 0) >= 0.9, JSON.stringify(last));

  const history = await readHistory(join(directory, 'history.jsonl'));
  assert.equal(history.length, 28 + 4);
  assert.deepEqual(
    history.filter(({ type }) => type === 'epoch'),
    result.epochs,
  );
  const lines = history.filter((record) => record.type === 'step');
  assert.deepEqual(
    lines.map(({ step }) => step),
    Array.from({ length: 28 }, (_, i) => i + 1),
  );
  assert.deepEqual([lines[7]?.epoch, lines[7]?.batch, lines[7]?.batches], [2, 1, 7]);
  assert.equal(lines[12]?.learningRate, cosineDecay(0.1, 24).at(12));
  assert.equal(steps.length, 28);
  assert.deepEqual([steps[9]?.steps, steps[9]?.epochs], [28, 4]);
  assert.ok((steps[20]?.secondsLeft ?? -1) >= 0 && (steps[20]?.imagesPerSecond ?? 0) > 0);

  const loaded = await loadModel(directory);
  assert.deepEqual(await weightsOf(loaded.model), await weightsOf(model));
  assert.deepEqual(loaded.info, result.info);
  assert.deepEqual([loaded.info.architecture, loaded.info.classes], ['tiny', ['top', 'left', 'bottom']]);
  const { preprocessing } = loaded.info;
  const { accuracy } = await evaluate(loaded.model, data.validation ?? assert.fail(), { preprocessing });
  assert.equal(accuracy, last?.validationAccuracy);
});

test('the same seed gives the same bits, another seed others', async () => {
  const run = async (seed: number) => {
    const model = tinyModel();
    await train(model, halvesSplits(), { ...options(), epochs: 1, seed });
    return weightsOf(model);
  };
  const [a, b, c] = [await run(1), await run(1), await run(2)];
  assert.deepEqual(a, b);
  assert.notDeepEqual(a, c);
});

/** Trains in sittings that end after the given steps, each with fresh objects as a new process would have. */
async function inSittings(ends: readonly number[], more: Partial<TrainOptions>) {
  const directory = await temporary();
  for (let sitting = 0; ; sitting++) {
    const model = tinyModel();
    const controller = new AbortController();
    const result = await train(model, halvesSplits(), {
      ...options(),
      ...more,
      directory,
      resume: sitting > 0,
      signal: controller.signal,
      onStep: ({ step }) => {
        if (step === ends[sitting]) controller.abort();
      },
    });
    if (!result.interrupted) return { directory, result, weights: await weightsOf(model), sittings: sitting + 1 };
  }
}

test('a run that is interrupted and resumed gives the bits and the history of one that never was', async () => {
  const whole = await inSittings([], {});
  assert.equal(whole.sittings, 1);
  const history = (await readHistory(join(whole.directory, 'history.jsonl'))).map(steady);
  for (const [ends, more] of [
    [[1, 6, 9], {}],
    [[7, 14], { checkpointEvery: 3 }],
    [[5], { checkpointEvery: 1 }],
  ] as const) {
    const pieces = await inSittings(ends, more);
    assert.equal(pieces.sittings, ends.length + 1);
    assert.deepEqual(pieces.weights, whole.weights, JSON.stringify(ends));
    assert.deepEqual((await readHistory(join(pieces.directory, 'history.jsonl'))).map(steady), history);
    assert.deepEqual(pieces.result.epochs.map(steady), whole.result.epochs.map(steady));
    assert.deepEqual(await readdir(join(pieces.directory, 'checkpoint')), ['state.bin']);
  }
});

/** Everything that has a state, each made afresh as a new process would. */
const stateful: Readonly<Record<string, () => Partial<TrainOptions>>> = {
  'adamW with a moving average': () => ({ optimizer: adamW({ learningRate: 0.01 }), ema: 0.9 }),
  'muon, lookahead, clipping': () => ({
    optimizer: muon({ learningRate: 0.02, others: sgd({ learningRate: 0.05, momentum: 0.9 }) }),
    lookahead: { every: 4, alpha: 1 - 0.95 ** 4, rampSteps: 21 },
    clip: { globalNorm: 1 },
  }),
  'micro-batches, focal loss, plateau, both averages': () => ({
    optimizer: sgd({
      learningRate: reduceOnPlateau(0.05, { patience: 1, factor: 0.5, minDelta: 0.5 }),
      momentum: 0.9,
      learningRateFactors: { '*/bias': 8, '*/beta': 8 },
    }),
    loss: focal({ gamma: 1, classWeights: 'balanced' }),
    labelSmoothing: 0,
    microBatch: 3,
    ema: { decay: 0.8 },
    lookahead: true,
  }),
};

for (const [name, more] of Object.entries(stateful)) {
  test(`${name}: interrupted and resumed gives the same bits, and no tensor stays behind`, async () => {
    const sitting = async (directory: string, end: number | undefined, resume: boolean) => {
      const model = tinyModel();
      const controller = new AbortController();
      const onStep = ({ step }: StepEvent) => {
        if (step === end) controller.abort();
      };
      const before = tf.memory().numTensors;
      const own = more();
      const shared = { ...options(), ...own, directory, resume, signal: controller.signal, onStep };
      const result = await train(model, halvesSplits(), shared);
      own.optimizer?.dispose();
      assert.equal(tf.memory().numTensors, before);
      return { result, weights: await weightsOf(model) };
    };
    const [wholeDirectory, directory] = [await temporary(), await temporary()];
    const whole = await sitting(wholeDirectory, undefined, false);
    await sitting(directory, 6, false);
    await sitting(directory, 9, true);
    const pieces = await sitting(directory, undefined, true);
    assert.deepEqual(pieces.weights, whole.weights);
    assert.deepEqual(pieces.result.epochs.map(steady), whole.result.epochs.map(steady));
    assert.deepEqual(await weightsOf((await loadModel(directory)).model), whole.weights);
    if (name.includes('plateau')) assert.ok((whole.result.epochs.at(-1)?.learningRate ?? 1) < 0.05);
  });
}

test('validation, callbacks and the saved model see the averaged weights, training does not', async () => {
  const directory = await temporary();
  const data = halvesSplits();
  const shared = { ...options(), epochs: 2, batchSize: 8 };
  const plain = tinyModel();
  const raw = await train(plain, data, { ...shared, optimizer: sgd({ learningRate: 0.05 }) });
  const model = tinyModel();
  let seen: Record<string, Float32Array> = {};
  const onEpoch = async () => {
    seen = await weightsOf(model);
  };
  const averaged = await train(model, data, {
    ...shared,
    optimizer: sgd({ learningRate: 0.05 }),
    ema: { decay: 0.9 },
    directory,
    callbacks: [{ name: 'spy', onEpoch }],
  });
  // The same steps, so the same training losses; other weights at the end.
  assert.deepEqual(
    averaged.epochs.map(({ loss }) => loss),
    raw.epochs.map(({ loss }) => loss),
  );
  const weights = await weightsOf(model);
  assert.notDeepEqual(weights, await weightsOf(plain));
  assert.notEqual(averaged.epochs[1]?.validationLoss, raw.epochs[1]?.validationLoss);
  assert.deepEqual(seen, weights);
  const loaded = await loadModel(directory);
  assert.deepEqual(await weightsOf(loaded.model), weights);
  const { preprocessing } = averaged.info;
  const { loss } = await evaluate(loaded.model, data.validation ?? assert.fail(), { preprocessing });
  assert.ok(Math.abs(loss - (averaged.epochs[1]?.validationLoss ?? 9)) < 1e-6);
});

test('many labels per image: multi-hot targets teach, and validation counts each answer', async () => {
  const data = halvesSplits(60, 12);
  // Each image is of its own class and of the next but one.
  const rows = (labels: ArrayLike<number>) =>
    Float32Array.from(
      Array.from(labels).flatMap((label) => [0, 1, 2].map((k) => (k === label || k === (label + 2) % 3 ? 1 : 0))),
    );
  const make = () => {
    const input = tfl.input({ shape: [8, 8, 1] });
    const flat = tfl.layers.flatten().apply(input) as tfl.SymbolicTensor;
    const kernelInitializer = tfl.initializers.glorotUniform({ seed: 1 });
    const dense = tfl.layers.dense({ units: 3, activation: 'sigmoid', kernelInitializer });
    return tfl.model({ inputs: input, outputs: dense.apply(flat) as tfl.SymbolicTensor });
  };
  const { train: images, validation = assert.fail() } = data;
  const options = {
    epochs: 8,
    batchSize: 10,
    seed: 1,
    optimizer: adamW({ learningRate: 0.02 }),
    loss: binaryCrossEntropy(),
    targets: rows(images.labels),
  };
  const { epochs } = await train(make(), data, { ...options, validationTargets: rows(validation.labels) });
  assert.ok(
    (epochs.at(-1)?.accuracy ?? 0) > 0.95 && (epochs.at(-1)?.validationAccuracy ?? 0) > 0.9,
    JSON.stringify(epochs.at(-1)),
  );
  assert.ok((epochs.at(-1)?.validationLoss ?? 9) < 0.4);
  await assert.rejects(train(make(), data, options), /binaryCrossEntropy with targets needs validationTargets/);
  await assert.rejects(
    train(make(), data, { ...options, targets: new Float32Array(7) }),
    /targets must be 60 x 3 values, received 7/,
  );
});

test('a run with another loss, teacher or average is not gone on with', async () => {
  const directory = await temporary();
  const data = halvesSplits();
  const teacher = tinyModel();
  const run = (more: Partial<TrainOptions>, resume = true) => {
    const optimizer = sgd({ learningRate: 0.01 });
    return train(tinyModel(), data, { epochs: 1, batchSize: 8, seed: 5, directory, resume, optimizer, ...more });
  };
  await run({ loss: distillation({ teacher }), ema: 0.9 }, false);
  await run({ loss: distillation({ teacher }), ema: 0.9 });
  await assert.rejects(run({ loss: 'focal', ema: 0.9 }), /loss was distillation .* in that run and is focal .* now/);
  await assert.rejects(run({ loss: distillation({ teacher }) }), /averages was .*0.9.* now/);
  const trained = tinyModel();
  trained.getLayer('fc').setWeights(
    trained
      .getLayer('fc')
      .getWeights()
      .map((weight) => tf.mul(weight, 2)),
  );
  await assert.rejects(run({ loss: distillation({ teacher: trained }), ema: 0.9 }), /loss was .*teacher's weights/);
});

test('a run that is done can be resumed to nothing, or for more epochs', async () => {
  const directory = await temporary();
  const first = await train(tinyModel(), halvesSplits(), { ...options(), epochs: 1, directory });
  const resume = async (epochs: number) => {
    const model = tinyModel();
    const result = await train(model, halvesSplits(), { ...options(), epochs, directory, resume: true });
    return { result, weights: await weightsOf(model) };
  };
  const nothing = await resume(1);
  assert.deepEqual(nothing.result.epochs, first.epochs);
  assert.deepEqual(nothing.weights, await weightsOf((await loadModel(directory)).model));
  const model = tinyModel();
  await train(model, halvesSplits(), { ...options(), epochs: 2 });
  assert.deepEqual((await resume(2)).weights, await weightsOf(model));
});

test('a signal that comes during validation loses nothing', async () => {
  const directory = await temporary();
  const controller = new AbortController();
  const interrupted = await train(tinyModel(), halvesSplits(60, 40), {
    ...options(),
    directory,
    signal: controller.signal,
    onValidation: () => controller.abort(),
  });
  assert.deepEqual([interrupted.interrupted, interrupted.steps, interrupted.epochs.length], [true, 7, 0]);
  const model = tinyModel();
  const result = await train(model, halvesSplits(60, 40), { ...options(), directory, resume: true });
  const whole = tinyModel();
  const expected = await train(whole, halvesSplits(60, 40), options());
  assert.deepEqual(await weightsOf(model), await weightsOf(whole));
  assert.deepEqual(result.epochs.map(steady), expected.epochs.map(steady));
});

test('any tf.Optimizer trains and resumes', async () => {
  const directory = await temporary();
  const adam = () => ({ ...options(), epochs: 2, optimizer: tf.train.adam(0.01), directory });
  const controller = new AbortController();
  const onStep = ({ step }: StepEvent) => {
    if (step === 5) controller.abort();
  };
  await train(tinyModel(), halvesSplits(), { ...adam(), signal: controller.signal, onStep });
  const { steps, epochs } = await train(tinyModel(), halvesSplits(), { ...adam(), resume: true });
  assert.deepEqual([steps, epochs.length], [14, 2]);
  assert.ok((epochs[1]?.loss ?? 9) < (epochs[0]?.loss ?? 0));
});

test('frozen layers stay as they are, their averages included', async () => {
  const model = tinyModel();
  for (const name of ['conv', 'norm']) model.getLayer(name).trainable = false;
  const before = await weightsOf(model);
  await train(model, halvesSplits(), { ...options(), epochs: 1 });
  const after = await weightsOf(model);
  for (const name of Object.keys(before)) {
    (name.startsWith('fc') ? assert.notDeepEqual : assert.deepEqual)(after[name], before[name], name);
  }
  for (const layer of model.layers) layer.trainable = false;
  await assert.rejects(train(model, halvesSplits(), options()), /model tiny: all its layers are frozen/);
});

test('a model that hides its logits learns too, and regularisers count', async () => {
  const input = tfl.input({ shape: [8, 8, 1] });
  const flat = tfl.layers.flatten().apply(input) as tfl.SymbolicTensor;
  const kernelRegularizer = tfl.regularizers.l2({ l2: 0.5 });
  const kernelInitializer = tfl.initializers.glorotUniform({ seed: 1 });
  const dense = tfl.layers.dense({ units: 3, activation: 'sigmoid', kernelInitializer, kernelRegularizer });
  const model = tfl.model({ inputs: input, outputs: dense.apply(flat) as tfl.SymbolicTensor });
  const penalty = () => 0.5 * (tf.sum(tf.square(dense.getWeights()[0] ?? tf.scalar(0))).dataSync()[0] ?? 0);
  const [before, losses]: [number, number[]] = [penalty(), []];
  const onStep = ({ loss }: StepEvent) => void losses.push(loss);
  await train(model, halvesSplits(), { ...options(), optimizer: sgd({ learningRate: 0.05 }), epochs: 2, onStep });
  assert.ok((losses[0] ?? 0) > before);
  assert.ok(penalty() < 0.5 * before);
  assert.ok((losses.at(-1) ?? 99) < (losses[0] ?? 0));
});

test('defaults train, and no tensor stays behind', async () => {
  const model = tinyModel();
  const data = halvesSplits();
  await train(model, data, { epochs: 1 });
  const before = tf.memory().numTensors;
  let most = 0;
  const onStep = () => {
    most = Math.max(most, tf.memory().numTensors);
  };
  const { epochs } = await train(model, data, { epochs: 6, batchSize: 10, onStep });
  assert.ok((epochs.at(-1)?.loss ?? 9) < (epochs[0]?.loss ?? 0));
  assert.equal(tf.memory().numTensors, before);
  // The velocities of the four trained weights and two more, and the loss and count of two steps.
  assert.ok(most <= before + 6 + 4, `${most - before}`);
});

test('mistakes end in one clear line', async () => {
  const data = halvesSplits();
  const rejects = (more: Partial<TrainOptions>, message: RegExp, splits = data) =>
    assert.rejects(train(tinyModel(), splits, { ...options(), ...more }), (error) => {
      assert.ok(error instanceof ModelError && message.test(error.message), String(error));
      return true;
    });
  await rejects({ epochs: 0 }, /epochs must be a whole number from 1 up, received 0/);
  await rejects({ batchSize: 1.5 }, /batchSize must be a whole number/);
  await rejects({ labelSmoothing: 1 }, /labelSmoothing must be at least 0 and less than 1, received 1/);
  await rejects({ microBatch: 0 }, /microBatch must be a whole number from 1 up, received 0/);
  await rejects({ clip: { norm: 1, value: 1 } }, /train: clip must have one of value, norm, globalNorm/);
  await rejects({ loss: 'hinge' }, /no loss is called 'hinge'/);
  await rejects({ loss: focal(), labelSmoothing: 0.1 }, /labelSmoothing is of the default loss/);
  await rejects({ ema: { decay: 0.999, warmup: false } }, /ema: with decay 0.999 and no warm-up, 98 % of the average/);
  const unwatched = { classes: data.classes, imageShape: data.imageShape, train: data.train };
  const plateau = { optimizer: sgd({ learningRate: reduceOnPlateau(0.1) }) };
  await rejects(plateau, /reduceOnPlateau needs a validation set to watch/, unwatched);
  await rejects({ checkpointEvery: 0 }, /checkpointEvery must be 'epoch' or a whole number/);
  await rejects({ resume: true }, /resume needs a directory/);
  await rejects({}, /halves: has 2 classes, the model 3 outputs/, {
    ...data,
    train: { ...data.train, classes: ['a', 'b'] },
  });
  const diverging = sgd({ learningRate: 1e30 });
  await rejects({ optimizer: diverging }, /the loss is (NaN|Infinity) at step \d+: lower the learning rate/);
});

test('a resume with other options, or of nothing, or over a run, is refused', async () => {
  const directory = await temporary();
  const data = halvesSplits();
  const rejects = (more: Partial<TrainOptions>, message: RegExp) =>
    assert.rejects(train(tinyModel(), data, { ...options(), directory, ...more }), (error) => {
      assert.ok(error instanceof ModelError && message.test(error.message), String(error));
      return true;
    });
  await rejects({ resume: true }, /run: there is no run to resume$/);
  await train(tinyModel(), data, { ...options(), epochs: 1, directory });
  await rejects({}, /run: holds a run already; resume it, or give another directory$/);
  await rejects({ resume: true, batchSize: 9 }, /cannot go on from .*: batchSize was 8 in that run and is 9 now/);
  await rejects({ resume: true, optimizer: sgd({ learningRate: 1 }) }, /: optimizer was ScheduledSGD .* now/);
  await rejects({ resume: true, seed: 6 }, /: seed was 5 in that run and is 6 now/);
});

test('what cannot be written is one error, and the run goes on from its last checkpoint', async () => {
  const directory = await temporary();
  const file = join(directory, '..', 'file');
  await writeFile(file, '');
  const write = (path: string) => train(tinyModel(), halvesSplits(), { ...options(), directory: path });
  await assert.rejects(write(join(file, 'run')), WriteError);
  await train(tinyModel(), halvesSplits(), { ...options(), epochs: 1, directory });
  const state = join(directory, 'checkpoint', 'state.bin');
  const { mtimeMs } = await stat(state);
  const before = await readFile(state);
  // Nothing new: the checkpoint of a run that is done is not written again.
  await train(tinyModel(), halvesSplits(), { ...options(), epochs: 1, directory, resume: true });
  assert.deepEqual(await readFile(state), before);
  assert.equal((await stat(state)).mtimeMs, mtimeMs);
});

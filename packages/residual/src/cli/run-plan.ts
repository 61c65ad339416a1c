/** What a run computes, as data: every option that decides its result, filled in and written to `run.json`,
 *  so that a run can be resumed, evaluated on its own data, and repeated. */

import { readFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { version_core } from '@tensorflow/tfjs-core';
import type { ImageShape, ResizeMode } from '../data/dataset.ts';
import type { OpenOptions } from '../data/node/open.ts';
import type { Pairs } from '../evaluate/report-data.ts';
import { bytes, plain } from '../evaluate/report-format.ts';
import { writeAside } from '../models/files.ts';
import { type ModelOptions, modelNames } from '../models/registry.ts';
import { CommandError, UsageError, type Values } from './command.ts';
import { defaultData, defaultsFor } from './defaults.ts';
import { nearest } from './nearest.ts';
import { quoted, version } from './program.ts';
import type { trainOptions } from './train.ts';

export interface RunPlan {
  readonly format: 'residual-run/1';
  readonly name: string;
  readonly created: string;
  readonly data: {
    /** A known name, or an absolute path. */
    readonly source: string;
    readonly size?: readonly [height: number, width: number];
    readonly channels?: 1 | 3;
    readonly resize: ResizeMode;
    readonly validation?: number;
    readonly test: number;
    /** Pixels; the data's default part of the size where it is missing. */
    readonly cropPadding?: number;
    readonly flip: boolean;
  };
  readonly model: {
    readonly name: string;
    readonly stem?: NonNullable<ModelOptions['stem']>;
    readonly width?: number;
    readonly convention: NonNullable<ModelOptions['convention']>;
  };
  readonly training: {
    readonly epochs: number;
    readonly batch: number;
    readonly lr: number;
    readonly momentum: number;
    readonly nesterov: boolean;
    readonly weightDecay: number;
    readonly decay: 'all' | 'kernels';
    readonly labelSmoothing: number;
    readonly warmup: number;
    readonly checkpointEvery?: number;
  };
  readonly seed: number;
  /** Another backend would round differently, so a run keeps its own. */
  readonly backend: string;
  /** Of the machine that began the run; empty until it begins. */
  readonly environment: Pairs;
}

type TrainValues = Values<typeof trainOptions>;

/**
 * Fills the user's options up with the defaults of his data.
 *
 * @throws UsageError for options that contradict each other
 */
export function makePlan(
  argument: string | undefined,
  values: TrainValues,
  name: (data: string, model: string) => string,
): RunPlan {
  if (argument !== undefined && values.data !== undefined && argument !== values.data) {
    throw new UsageError(`the data is given twice: ${argument} and --data ${values.data}`);
  }
  const given = argument ?? values.data ?? defaultData;
  const usual = defaultsFor(given);
  const momentum = values.momentum ?? usual.momentum;
  const nesterov = values.nesterov ?? (momentum > 0 && usual.nesterov);
  if (nesterov && momentum === 0) throw new UsageError('--nesterov needs a --momentum greater than 0');
  const epochs = values.epochs ?? usual.epochs;
  const warmup = values.warmup ?? Math.min(usual.warmup, epochs / 4);
  if (warmup >= epochs) throw new UsageError(`--warmup must be less than the ${epochs} epochs, received ${warmup}`);
  if ((values.validation ?? 0) + (values.test ?? 0) >= 1) {
    throw new UsageError('--validation and --test together must leave images to train on: less than 1');
  }
  const model = values.model ?? usual.model;
  if (!modelNames.some((known) => known === model)) {
    const close = nearest(model, modelNames);
    throw new UsageError(
      `--model must be one of ${modelNames.join(', ')}; received '${model}'`,
      close === undefined ? undefined : `did you mean ${close}?`,
    );
  }
  return {
    format: 'residual-run/1',
    name: values.name ?? name(given, model),
    created: new Date().toISOString(),
    data: {
      source: given === defaultData ? given : resolve(given),
      ...(values.size === undefined ? {} : { size: parseSize(values.size) }),
      ...(values.channels === undefined ? {} : { channels: values.channels === '1' ? 1 : 3 }),
      resize: (values.resize as ResizeMode | undefined) ?? 'cover',
      ...(values.validation === undefined ? {} : { validation: values.validation }),
      test: values.test ?? 0,
      ...(values['crop-padding'] === undefined ? {} : { cropPadding: values['crop-padding'] }),
      flip: values.flip ?? usual.flip,
    },
    model: {
      name: model,
      ...(values.stem === undefined ? {} : { stem: values.stem as NonNullable<ModelOptions['stem']> }),
      ...(values.width === undefined ? {} : { width: values.width }),
      convention: (values.convention as RunPlan['model']['convention'] | undefined) ?? usual.convention,
    },
    training: {
      epochs,
      batch: values.batch ?? usual.batch,
      lr: values.lr ?? usual.lr,
      momentum,
      nesterov,
      weightDecay: values['weight-decay'] ?? usual.weightDecay,
      decay: usual.decay,
      labelSmoothing: values['label-smoothing'] ?? usual.labelSmoothing,
      warmup,
      ...(values['checkpoint-every'] === undefined ? {} : { checkpointEvery: values['checkpoint-every'] }),
    },
    seed: values.seed ?? usual.seed,
    backend: values.backend ?? 'jit',
    environment: [],
  };
}

/** `224` or `120x160`: height, then width. */
export function parseSize(text: string): readonly [height: number, width: number] {
  const match = /^(\d+)(?:[x×](\d+))?$/.exec(text);
  const height = Number(match?.[1]);
  const width = Number(match?.[2] ?? match?.[1]);
  if (match === null || height < 1 || width < 1 || Math.max(height, width) > 16_384) {
    throw new UsageError(`--size must be pixels, as 224 or 120x160 (height x width), received '${text}'`);
  }
  return [height, width];
}

/** The options of the plan's data for `openData`. */
export function dataOptions(plan: RunPlan): OpenOptions {
  const { size, channels, resize, validation, test } = plan.data;
  return {
    resize,
    test,
    seed: plan.seed,
    ...(size === undefined ? {} : { size }),
    ...(channels === undefined ? {} : { channels }),
    ...(validation === undefined ? {} : { validation }),
  };
}

/** The random crop's reach in pixels. */
export function cropPaddingOf(plan: RunPlan, [height, width]: ImageShape): number {
  return plan.data.cropPadding ?? Math.round(Math.min(height, width) * defaultsFor(plan.data.source).cropPart);
}

/** What the machine and the software were. */
export function environmentOf(backend: string): Pairs {
  const [processor] = cpus();
  return [
    ['residual', version],
    ['TensorFlow.js', version_core],
    ['backend', backend],
    ['Node', process.version],
    ['processor', `${processor?.model.trim() ?? process.arch}, ${cpus().length} cores`],
    ['memory', bytes(totalmem())],
    ['system', `${process.platform} ${process.arch}`],
  ];
}

/** The plan's options for people. `cropPadding` in pixels, as it was used. */
export function optionPairs(plan: RunPlan, cropPadding: number): Pairs {
  const { data, model, training } = plan;
  return [
    ['data', data.source],
    ['model', model.name],
    ['convention', model.convention],
    ...(model.stem === undefined ? [] : [['stem', model.stem] as const]),
    ...(model.width === undefined ? [] : [['width', String(model.width)] as const]),
    ['epochs', String(training.epochs)],
    ['batch', String(training.batch)],
    ['learning rate', `${plain(training.lr)}, cosine to 0, warm-up ${plain(training.warmup)} epochs`],
    ['momentum', `${plain(training.momentum)}${training.nesterov ? ', Nesterov' : ''}`],
    ['weight decay', `${plain(training.weightDecay)}${training.decay === 'kernels' ? ' on kernels' : ''}`],
    ['label smoothing', plain(training.labelSmoothing)],
    ['random crop', cropPadding === 0 ? 'off' : `up to ${cropPadding} pixels`],
    ['random flip', data.flip ? 'on' : 'off'],
    ['seed', String(plan.seed)],
  ];
}

/** The command that trains the same weights again, with every option spelled out. */
export function reproduceCommand(plan: RunPlan, cropPadding: number): string {
  const { data, model, training } = plan;
  const words: (string | number)[] = ['residual', 'train', quoted(data.source)];
  if (data.size !== undefined) words.push('--size', data.size.join('x'));
  if (data.channels !== undefined) words.push('--channels', data.channels);
  if (data.resize !== 'cover') words.push('--resize', data.resize);
  if (data.validation !== undefined) words.push('--validation', data.validation);
  if (data.test > 0) words.push('--test', data.test);
  words.push('--crop-padding', cropPadding);
  if (!data.flip) words.push('--no-flip');
  words.push('--model', model.name, '--convention', model.convention);
  if (model.stem !== undefined) words.push('--stem', model.stem);
  if (plan.backend !== 'jit') words.push('--backend', plan.backend);
  if (model.width !== undefined) words.push('--width', model.width);
  words.push('--epochs', training.epochs, '--batch', training.batch, '--lr', training.lr);
  words.push('--momentum', training.momentum, training.nesterov ? '--nesterov' : '--no-nesterov');
  words.push('--weight-decay', training.weightDecay, '--label-smoothing', training.labelSmoothing);
  words.push('--warmup', training.warmup, '--seed', plan.seed);
  return words.join(' ');
}

const planFile = 'run.json';

/** @throws WriteError */
export async function writePlan(folder: string, plan: RunPlan): Promise<void> {
  await writeAside(join(folder, planFile), [`${JSON.stringify(plan, null, 2)}\n`]);
}

/**
 * The plan of a run's folder; undefined where the folder holds none, e.g. only a model.
 *
 * @throws CommandError for a file that is none of ours
 */
export async function readPlan(folder: string): Promise<RunPlan | undefined> {
  const file = join(folder, planFile);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const plan = JSON.parse(text) as Partial<RunPlan> | null;
    if (plan?.format === 'residual-run/1') return plan as RunPlan;
  } catch {
    // The error below says it.
  }
  throw new CommandError(`${file} was not written by this version of residual`);
}

/** The work of `residual train`: plan, train, evaluate, report, and say what to do next.
 *  Results go to standard output, progress to standard error. */

import { existsSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { closeSplits, type Splits } from '../data/dataset.ts';
import { evaluate } from '../evaluate/metrics.ts';
import { count, percent, plural } from '../evaluate/report-format.ts';
import { writeError } from '../models/files.ts';
import type { ModelInfo } from '../models/info.ts';
import { loadModel } from '../models/saved-model.ts';
import { modelOf, trainOptionsOf, viewsOf } from '../recipe/build.ts';
import type { Callback } from '../train/callbacks/callback.ts';
import { csvLog } from '../train/callbacks/log.ts';
import { tensorBoard } from '../train/callbacks/tensorboard.ts';
import type { CacheOptions } from '../train/features/cached-run.ts';
import { readHistory, type TroubleRecord } from '../train/history.ts';
import type { TrainResult } from '../train/loop.ts';
import type { TrainOptions } from '../train/options.ts';
import { train as trainModel } from '../train/train.ts';
import { startBackend } from './backend.ts';
import { CommandError, UsageError, type Values } from './command.ts';
import type { CompareOptions, Compression } from './compression-table.ts';
import { runsFolder } from './defaults.ts';
import { diagnoseRun, diagnosisLines } from './diagnosis.ts';
import { imagesText, type SplitName } from './evaluation-data.ts';
import { catchInterrupt, interruptedCode } from './interrupt.ts';
import { LiveLine } from './live-line.ts';
import { type Learner, learnerOf } from './quantize-network.ts';
import { quantizeText } from './quantize-plan.ts';
import { findRun, latestRun, newRunFolder, runName } from './run-folders.ts';
import { environmentOf, makePlan, openPlanned, type PlanBase, type RunPlan, readPlan, writePlan } from './run-plan.ts';
import { writeRunReport } from './run-report.ts';
import { predictSamples } from './samples.ts';
import { styleOf } from './style.ts';
import type { trainOptions } from './train.ts';
import { TrainProgress } from './train-progress.ts';
import { headerLines, nextSteps, stoppedText, unmeasuredText } from './train-text.ts';

type TrainValues = Values<typeof trainOptions>;

/** What may be given beside `--resume`, for it does not change what is computed. */
const freeOnResume: readonly string[] = ['resume', 'runs', 'threads', 'quiet', 'json'];

/** Options that say how a run is shown, and where it runs. */
type OutputValues = Pick<TrainValues, 'quiet' | 'json' | 'threads'>;

export interface Job {
  readonly plan: RunPlan;
  readonly folder: string;
  readonly resume: boolean;
}

export async function train(positionals: readonly string[], values: TrainValues): Promise<number> {
  if (values.resume !== undefined) checkResumeOptions(positionals, values);
  const begun = values.resume === undefined ? await newJob(positionals, values) : await oldJob(values);
  return runJob(begun, values);
}

/** Trains by a plan, and shows it. */
export async function runJob(begun: Job, values: OutputValues): Promise<number> {
  const style = styleOf(process.stderr);
  const line = new LiveLine(process.stderr);
  const quiet = values.quiet === true;
  const say = (text: string) => {
    if (!quiet) line.print(text);
  };
  const backend = await startBackend({ ...values, backend: begun.plan.backend });
  const job = begun.resume ? begun : { ...begun, plan: { ...begun.plan, environment: environmentOf(backend) } };
  const { plan, folder } = job;

  const splits = await openPlanned(plan);
  const model = await modelOf(plan.recipe, splits);
  const learner = await learnerOf(plan, splits, model);
  for (const text of headerLines(job, splits, model, backend, style)) say(text);

  const interrupt = catchInterrupt(
    () => say(style.yellow('stopping: the step is finished and saved; Ctrl-C again ends at once')),
    () => line.clear(),
  );
  try {
    const progress = quiet ? undefined : new TrainProgress(line, style, plan.recipe.training.epochs);
    const onTrouble = ({ message }: TroubleRecord) => {
      line.clear();
      say(style.yellow(message));
    };
    const result = await runTraining(job, splits, model, learner, progress, onTrouble, interrupt.signal);
    if (result.interrupted) {
      line.clear();
      const { steps } = result;
      tell(
        values.json === true ? JSON.stringify({ run: folder, interrupted: true, steps }) : stoppedText(folder, steps),
      );
      return interruptedCode;
    }
    progress?.end(result.seconds);
    if (result.stopped !== undefined) say(style.dim(`stopped early: ${result.stopped}`));
    return await finish(job, splits, model, learner, result, values, interrupt.signal, line, backend);
  } catch (error) {
    if (!interrupt.signal.aborted || error !== interrupt.signal.reason) throw error;
    tell(unmeasuredText(folder));
    return interruptedCode;
  } finally {
    line.clear();
    interrupt.release();
    learner?.network.dispose();
    model.dispose();
    await closeSplits(splits);
  }
}

/** Refuses what would change a run that is under way. */
function checkResumeOptions(positionals: readonly string[], values: TrainValues): void {
  const changed = Object.keys(values).find((name) => !freeOnResume.includes(name));
  if (changed !== undefined) {
    throw new UsageError(
      `--${changed} cannot be changed when a run is resumed: it goes on with the options that it began with`,
      `beside --resume there may be ${freeOnResume
        .slice(1)
        .map((name) => `--${name}`)
        .join(', ')}`,
    );
  }
  if (positionals.length > 0) {
    throw new UsageError(`the data cannot be changed when a run is resumed, received '${positionals[0]}'`);
  }
}

/** A new run; a command's own wishes lie beneath the user's options. */
export async function newJob(positionals: readonly string[], values: TrainValues, base: PlanBase = {}): Promise<Job> {
  const plan = await makePlan(positionals[0], values, runName, base);
  const folder = await newRunFolder(values.runs ?? runsFolder, plan.name, values.name !== undefined);
  return { plan: { ...plan, name: basename(folder) }, folder, resume: false };
}

async function oldJob(values: TrainValues): Promise<Job> {
  const runs = values.runs ?? runsFolder;
  const folder =
    values.resume === undefined || values.resume === '' ? await latestRun(runs) : await findRun(values.resume, runs);
  const plan = await readPlan(folder);
  if (plan === undefined) {
    throw new CommandError(
      `${folder} holds no run that could be resumed: run.json is missing`,
      'begin a new run without --resume',
    );
  }
  // A run that was stopped before its first step has a plan and nothing else.
  return { plan, folder, resume: existsSync(join(folder, 'history.jsonl')) };
}

async function runTraining(
  { plan, folder, resume }: Job,
  splits: Splits,
  model: LayersModel,
  learner: Learner | undefined,
  progress: TrainProgress | undefined,
  onTrouble: (trouble: TroubleRecord) => void,
  signal: AbortSignal,
): Promise<TrainResult> {
  const own = trainOptionsOf(plan.recipe, splits, model);
  const isNew = (await stat(folder).catch(() => undefined)) === undefined;
  if (isNew) {
    await mkdir(folder, { recursive: true }).catch((error) => Promise.reject(writeError(folder, error)));
  }
  progress?.begin(resume ? 'reading the checkpoint' : 'reading the images, compiling the first step');
  if (resume) progress?.resumedAt((await readHistory(join(folder, 'history.jsonl'))).at(-1)?.seconds ?? 0);
  try {
    if (!resume) await writePlan(folder, plan);
    return await trainModel(learner?.network.model ?? model, splits, {
      ...own,
      ...(own.cacheFeatures === undefined
        ? {}
        : { cacheFeatures: cacheIn(own.cacheFeatures, plan.features, progress?.onFeatures) }),
      callbacks: [...(learner?.callbacks ?? []), ...(own.callbacks ?? []), ...logsOf(plan, folder)],
      onTrouble,
      directory: folder,
      resume,
      signal,
      ...(plan.checkpointEvery === undefined ? {} : { checkpointEvery: plan.checkpointEvery }),
      ...(progress === undefined
        ? {}
        : {
            onStep: progress.onStep,
            onEpoch: progress.onEpoch,
            onValidation: progress.onValidation,
            onTrouble: progress.onTrouble,
          }),
    });
  } catch (error) {
    // A run that failed before it learned anything leaves nothing behind.
    if (isNew && (await readHistory(join(folder, 'history.jsonl')).catch(() => [])).length === 0) {
      await rm(folder, { recursive: true, force: true }).catch(() => {});
    }
    throw error;
  } finally {
    own.optimizer?.dispose();
  }
}

/** Where a recipe's features are kept, and who is told of them. */
function cacheIn(
  cache: NonNullable<TrainOptions['cacheFeatures']>,
  directory: string | undefined,
  onProgress: CacheOptions['onProgress'],
): CacheOptions {
  return {
    ...(typeof cache === 'object' ? cache : {}),
    ...(directory === undefined ? {} : { directory }),
    ...(onProgress === undefined ? {} : { onProgress }),
  };
}

function logsOf({ logs }: RunPlan, folder: string): readonly Callback[] {
  return logs.map((log) => (log === 'csv' ? csvLog(join(folder, 'epochs.csv')) : tensorBoard()));
}

/** Everything after the last epoch: test, report, samples, and the last lines. */
async function finish(
  { plan, folder }: Job,
  splits: Splits,
  model: LayersModel,
  learner: Learner | undefined,
  result: TrainResult,
  values: OutputValues,
  signal: AbortSignal,
  line: LiveLine,
  backend: string,
): Promise<number> {
  const style = styleOf(process.stderr);
  const [split, dataset] = heldOut(splits);
  const options = {
    preprocessing: result.info.preprocessing,
    batchSize: plan.recipe.training.batch,
    signal,
    onProgress: (done: number, total: number) => {
      if (values.quiet !== true && line.isTerminal) {
        line.update(() => style.dim(`evaluating ${count(done)} of ${count(total)} ${split} images`));
      }
    },
  };
  // In integers, where the run was to learn them.
  const measured = learner?.network.model ?? model;
  const evaluation = await evaluate(measured, dataset, options);
  const tta = viewsOf(plan.recipe);
  const comparison = await comparisonOf(plan, { model, info: result.info }, dataset, split, {
    signal,
    backend,
    accuracyAfter: evaluation.accuracy,
    onProgress: (text) => {
      if (values.quiet !== true && line.isTerminal) line.update(() => style.dim(text));
    },
  });
  const viewed = tta && (await evaluate(measured, dataset, { ...options, tta }));
  line.clear();
  const report = await writeRunReport({
    plan,
    folder,
    model,
    info: result.info,
    splits,
    split,
    dataset,
    evaluation,
    backend,
  });
  const samples = await predictSamples(folder, measured, result.info, dataset);
  const skipped = [splits.train, splits.validation, splits.test].flatMap((part) => part?.skipped ?? []);

  if (values.json === true) {
    const { accuracy, loss, topFive, images } = evaluation;
    tell(
      JSON.stringify({
        run: folder,
        split,
        accuracy,
        ...(viewed === undefined ? {} : { accuracyOverViews: viewed.accuracy }),
        loss,
        topFive,
        images,
        epochs: result.epochs.length,
        steps: result.steps,
        seconds: result.seconds,
        parameters: model.countParams(),
        skippedFiles: skipped.length,
        ...(comparison === undefined ? {} : { compression: comparison }),
        report,
      }),
    );
    return 0;
  }
  const out = styleOf(process.stdout);
  if (skipped.length > 0) tell(`${plural(skipped.length, 'unreadable file')} skipped; the report lists them`);
  if (values.quiet !== true) {
    const diagnosis = diagnoseRun(await readHistory(join(folder, 'history.jsonl')), splits, plan);
    for (const text of diagnosis === undefined ? [] : diagnosisLines(diagnosis, out)) tell(text);
    for (const text of nextSteps(folder, report, split, result.info.classes, samples, plan, out)) tell(text);
  }
  if (comparison !== undefined) {
    const { compressionLines } = await import('./compression-table.ts');
    for (const text of [...compressionLines(comparison, out), '']) tell(text);
  }
  if (viewed !== undefined) {
    tell(
      `with ${tta?.flip === true ? 'mirrored' : 'moved'} views averaged, ${split} accuracy ${percent(viewed.accuracy, 2)}`,
    );
  }
  const how =
    plan.quantize === undefined ? '' : `, computed in ${quantizeText(plan.quantize).replace(/, scales fixed.*/, '')}`;
  tell(out.bold(`${split} accuracy ${percent(evaluation.accuracy)}${how}`));
  tell(folder);
  return 0;
}

/** Of a run that was pruned or clustered: what it was and is. Undefined for others, and where what it was is gone. */
async function comparisonOf(
  { compressedFrom }: RunPlan,
  after: { readonly model: LayersModel; readonly info: ModelInfo },
  dataset: Splits['train'],
  split: SplitName,
  options: CompareOptions,
): Promise<Compression | undefined> {
  if (compressedFrom === undefined || !existsSync(join(compressedFrom, 'model.json'))) return undefined;
  // Other runs have no need of the formats and runtimes that it measures with.
  const { compare } = await import('./compression-table.ts');
  const before = await loadModel(compressedFrom);
  try {
    return await compare(before, after, dataset, imagesText(dataset, split), options);
  } finally {
    before.model.dispose();
  }
}

/** The images that the result is measured on: the test's, or what was held out, or, for want of both, the training's. */
function heldOut(splits: Splits): readonly [name: 'test' | 'validation' | 'train', dataset: Splits['train']] {
  if (splits.test !== undefined) return ['test', splits.test];
  if (splits.validation !== undefined) return ['validation', splits.validation];
  return ['train', splits.train];
}

function tell(text: string): void {
  process.stdout.write(`${text}\n`);
}

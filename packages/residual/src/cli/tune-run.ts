/** The work of `residual tune`: plans the search, runs it, and prints what it found.
 *  Results go to standard output, progress to standard error. */

import { join, resolve } from 'node:path';
import { closeSplits } from '../data/dataset.ts';
import { openData } from '../data/node/open.ts';
import { duration, percent, plain, plural } from '../evaluate/report-format.ts';
import { writeAside } from '../models/files.ts';
import { dataOptionsOf } from '../recipe/build.ts';
import { loadRecipe } from '../recipe/library.ts';
import { type Override, parseOverride } from '../recipe/overrides.ts';
import type { Recipe } from '../recipe/schema.ts';
import { recipeText } from '../recipe/write.ts';
import { rungsOf } from '../tune/halving.ts';
import { Journal, type SearchRecord } from '../tune/journal.ts';
import { shortKey, trialCells, trialRows, tunePage } from '../tune/page.ts';
import { sample } from '../tune/sampler.ts';
import { type Dimension, dimensionOf, parseDimension, valueText } from '../tune/space.ts';
import { tune as runTune, type TuneResult, trialRecipe } from '../tune/tune.ts';
import { startBackend } from './backend.ts';
import { CommandError, UsageError, type Values } from './command.ts';
import { defaultData, recipeFor, runsFolder } from './defaults.ts';
import { catchInterrupt, interruptedCode } from './interrupt.ts';
import { LiveLine } from './live-line.ts';
import { invocation, quoted } from './program.ts';
import { findRun, newRunFolder, runName } from './run-folders.ts';
import { type Style, styleOf } from './style.ts';
import { tableLines } from './table.ts';
import type { tuneOptions } from './tune.ts';

type TuneValues = Values<typeof tuneOptions>;

/** What may be given beside `--resume`: more time, and what does not change the search. */
const freeOnResume: readonly string[] = ['resume', 'minutes', 'threads', 'quiet', 'json'];

export async function tune(positionals: readonly string[], values: TuneValues): Promise<number> {
  const { search, folder } =
    values.resume === undefined ? await plan(positionals, values) : await resumed(positionals, values);
  const style = styleOf(process.stderr);
  const line = new LiveLine(process.stderr);
  const quiet = values.quiet === true;
  const say = (text: string) => {
    if (!quiet) line.print(text);
  };
  const backend = await startBackend({ ...values, backend: search.backend });
  const splits = await openData(search.source, dataOptionsOf(search.recipe));
  const { rungs, trials, keep } = search;
  say(`${style.bold('residual tune')}  ${style.dim(backend)}`);
  say(`  ${search.source}, from ${search.from}: ${search.space.map(dimensionText).join(', ')}`);
  say(`  ${plural(trials, 'trial')}, rungs of ${rungs.join(', ')} epochs, one in ${keep} goes on; in ${folder}`);
  const interrupt = catchInterrupt(
    () => say(style.yellow('stopping: the step is finished and saved; Ctrl-C again ends at once')),
    () => line.clear(),
  );
  let doing = '';
  try {
    const result = await runTune(search, splits, {
      folder,
      signal: interrupt.signal,
      ...(values.minutes === undefined ? {} : { budget: 60 * values.minutes }),
      onTask({ trial, rung }, chosen, epochs) {
        const what = Object.entries(chosen).map(([key, value]) => `${shortKey(key)} ${valueText(value)}`);
        doing = `trial ${trial}${rung > 0 ? ` goes on to epoch ${epochs}` : ''}: ${what.join(', ') || 'the recipe as it stands'}`;
        if (!line.isTerminal) say(style.dim(doing));
      },
      onStep({ epoch, batch, batches, loss, imagesPerSecond }) {
        if (quiet || !line.isTerminal) return;
        line.update(
          () =>
            `${doing}  epoch ${epoch}, ${Math.floor((100 * batch) / batches)} %  loss ${plain(loss)}  ${Math.round(imagesPerSecond)} images/s`,
        );
      },
      onResult({ trial, epochs, accuracy, failed, seconds }) {
        line.clear();
        const worth = failed === undefined ? `${percent(accuracy ?? 0, 2)} validation accuracy` : `failed: ${failed}`;
        say(
          `${doing.startsWith(`trial ${trial}:`) ? doing : `trial ${trial}`}  ${style.bold(worth)} after ${plural(epochs, 'epoch')}, ${duration(seconds)}`,
        );
      },
    });
    line.clear();
    await writeOutcome(folder, result);
    return tell(folder, result, values);
  } finally {
    line.clear();
    interrupt.release();
    await closeSplits(splits);
  }
}

interface Planned {
  readonly search: SearchRecord;
  readonly folder: string;
}

async function plan([argument]: readonly string[], values: TuneValues): Promise<Planned> {
  const source = argument ?? defaultData;
  const changes = (values.set ?? []).map(parseOverride);
  if (values.epochs !== undefined)
    changes.push({ key: 'training.epochs', value: values.epochs, origin: '--epochs' } satisfies Override);
  const { name: from, recipe } = await loadRecipe(values.recipe ?? recipeFor(source), changes);
  const space = spaceOf(recipe, values.space ?? []);
  const { epochs } = recipe.training;
  const keep = values.keep ?? 3;
  const search: SearchRecord = {
    type: 'search',
    format: 'residual-tune/1',
    source: source === defaultData ? source : resolve(source),
    backend: values.backend ?? 'jit',
    from,
    recipe,
    space,
    trials: values.trials ?? 16,
    keep,
    rungs: rungsOf(values['first-epochs'] ?? 1, epochs, keep),
    seed: values.seed ?? 1,
  };
  // Every value that may come up must be possible: found out before the first trial, not after the tenth.
  for (let trial = 1; trial < search.trials; trial++) trialRecipe(search, sample(space, search.seed, trial));
  const folder =
    values.out ?? (await newRunFolder(runsFolder, runName(source, 'x').replace(/^(.*)-x-/, 'tune-$1-'), false));
  return { search, folder };
}

function spaceOf(recipe: Recipe, given: readonly string[]): readonly Dimension[] {
  if (given.length > 0) return given.map(parseDimension);
  const own = Object.entries(recipe.search).map(([key, values]) => dimensionOf(key, values));
  if (own.length > 0) return own;
  const { learningRate, weightDecay } = recipe.optimizer;
  const about = (key: string, middle: number): Dimension => {
    const [low, high] = [middle / 10, middle * 10].map((value) => Number(value.toPrecision(3))) as [number, number];
    return { key, kind: 'range', low, high, scale: 'log', whole: false };
  };
  return [about('optimizer.learningRate', learningRate), about('optimizer.weightDecay', weightDecay || 5e-4)];
}

async function resumed(positionals: readonly string[], values: TuneValues): Promise<Planned> {
  const changed = Object.keys(values).find((name) => !freeOnResume.includes(name));
  if (changed !== undefined || positionals.length > 0) {
    throw new UsageError(
      `${changed === undefined ? 'the data' : `--${changed}`} cannot be changed when a search is resumed`,
      `beside --resume there may be ${freeOnResume
        .slice(1)
        .map((name) => `--${name}`)
        .join(', ')}`,
    );
  }
  const folder = await findRun(values.resume ?? '');
  const journal = Journal.open(folder);
  journal.close();
  if (journal.search === undefined)
    throw new CommandError(`${folder} holds no search: journal.jsonl is missing or empty`);
  return { search: journal.search, folder };
}

/** `best.yaml` and `tune.html`. */
async function writeOutcome(folder: string, result: TuneResult): Promise<void> {
  const { best, search } = result;
  if (best !== undefined) {
    const accuracy = percent(best.result.accuracy ?? 0, 2);
    const comment = `Found by residual tune from ${search.from}: trial ${best.trial}, ${accuracy} of the validation images\nafter ${plural(best.result.epochs, 'epoch')} on ${search.source}.`;
    await writeAside(join(folder, 'best.yaml'), [recipeText(best.recipe, comment)]);
  }
  await writeAside(join(folder, 'tune.html'), [tunePage(result, new Date())]);
}

function tell(folder: string, result: TuneResult, values: TuneValues): number {
  const { ended, best, search } = result;
  const code = ended === 'interrupted' ? interruptedCode : 0;
  const recipe = join(folder, 'best.yaml');
  if (values.json === true) {
    const found =
      best === undefined ? {} : { trial: best.trial, values: best.values, accuracy: best.result.accuracy, recipe };
    print(
      JSON.stringify({ folder, ended, trials: result.trials.length, best: found, page: join(folder, 'tune.html') }),
    );
    return code;
  }
  const style = styleOf(process.stdout);
  for (const text of tableOf(result, style)) print(text);
  const again = `${invocation()} tune --resume ${quoted(folder)}`;
  if (ended === 'interrupted') print(`stopped; everything is saved. Go on with: ${again}`);
  if (ended === 'budget') print(`the time is used up. Go on with: ${again} --minutes N (in all)`);
  print(`plots ${join(folder, 'tune.html')}`);
  if (best !== undefined) {
    print(`train by the best: ${invocation()} train ${quoted(search.source)} --recipe ${quoted(recipe)}`);
    print(style.bold(`best validation accuracy ${percent(best.result.accuracy ?? 0, 2)}`));
  }
  return code;
}

function tableOf(result: TuneResult, style: Style): string[] {
  const keys = result.search.space.map(({ key }) => key);
  const right = { align: 'right' } as const;
  const head = [
    { title: 'trial', ...right },
    ...keys.map((key) => ({ title: shortKey(key), ...right })),
    { title: 'epochs', ...right },
    { title: 'accuracy', ...right },
    { title: 'loss', ...right },
    { title: '' },
  ];
  const rows = trialRows(result).map((row) => trialCells(row, keys));
  return tableLines(head, rows, style);
}

function dimensionText(dimension: Dimension): string {
  const { key } = dimension;
  if (dimension.kind === 'choice') return `${key} one of ${dimension.values.map(valueText).join(', ')}`;
  const { low, high, scale, whole } = dimension;
  return `${key} ${plain(low)} to ${plain(high)}${scale === 'log' ? ' (log)' : ''}${whole ? ' (whole)' : ''}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadModel } from '../models/saved-model.ts';
import '@tensorflow/tfjs-backend-cpu';
import { Random } from '../data/random.ts';
import { type HistoryRecord, readHistory } from './history.ts';
import { weightsOf } from './testing.ts';

/** A process that trains in a folder, going on where there is something to go on from. */
const program = `
  import '@tensorflow/tfjs-backend-cpu';
  import { existsSync } from 'node:fs';
  const at = (path) => import(new URL(path, ${JSON.stringify(import.meta.url)}));
  const { halvesSplits, tinyModel } = await at('./testing.ts');
  const { train } = await at('./train.ts');
  const { sgd } = await at('./sgd.ts');
  const { piecewiseConstant } = await at('./schedules.ts');
  const { muon } = await at('./muon.ts');
  const { focal } = await at('./losses.ts');
  const { reduceOnPlateau } = await at('./plateau.ts');
  const { mixup } = await at('../augment/index.ts');
  const [, directory, kind] = process.argv;
  const more = {
    steady: () => ({ optimizer: sgd({ learningRate: 0.05, momentum: 0.9 }) }),
    unsteady: () => ({
      epochs: 12,
      optimizer: sgd({ learningRate: piecewiseConstant([60], [0.05, 100]), momentum: 0.9 }),
    }),
    everything: () => ({
      optimizer: muon({ learningRate: reduceOnPlateau(0.02, { patience: 1, factor: 0.5, minDelta: 0.2 }) }),
      loss: focal({ classWeights: 'balanced' }),
      transforms: [mixup()],
      microBatch: 3,
      unfreeze: [{ epoch: 2, blocks: 0 }, { epoch: 4, blocks: 'all' }],
      ema: 0.9,
      lookahead: true,
      clip: { globalNorm: 1 },
    }),
  }[kind]();
  const options = { epochs: 6, batchSize: 8, seed: 3, directory, checkpointEvery: 2, resume: existsSync(directory + '/history.jsonl') };
  console.log('begins');
  await train(tinyModel(), halvesSplits(), { ...options, ...more });
`;

/** Unsteady: its learning rate jumps, so that it goes back. Everything: all options that have state. */
type Kind = 'steady' | 'unsteady' | 'everything';

/** Runs it, to its end or until it has been training for so many milliseconds; true if it ended by itself. */
async function run(directory: string, kind: Kind, milliseconds?: number): Promise<boolean> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, directory, kind], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const ended = new Promise<NodeJS.Signals | number | null>((resolve) => {
    child.once('close', (code, signal) => resolve(signal ?? code));
  });
  if (milliseconds !== undefined) {
    await Promise.race([ended, new Promise((resolve) => child.stdout.once('data', resolve))]);
    await sleep(milliseconds);
    child.kill('SIGKILL');
  }
  const how = await ended;
  assert.ok(how === 0 || how === 'SIGKILL', errors);
  return how === 0;
}

const steady = (record: HistoryRecord) => ({ ...record, seconds: 0, imagesPerSecond: 0 });
const historyOf = async (directory: string) => (await readHistory(join(directory, 'history.jsonl'))).map(steady);

for (const [kind, longest, kills, title] of [
  ['steady', 150, 5, 'a run killed with SIGKILL at random moments and resumed gives the bits of one never killed'],
  ['unsteady', 400, 5, 'and so does one that is killed before, while and after it goes back from a divergence'],
  ['everything', 500, 3, 'and one with every kind of state'],
] as const) {
  test(title, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'residual-kill-'));
    const [whole, killed] = [join(folder, 'whole'), join(folder, 'killed')];
    await run(whole, kind);
    const random = Random.at(Date.now());
    const moments: number[] = [];
    let done = false;
    while (!done && moments.length < kills) {
      moments.push(random.integer(longest));
      done = await run(killed, kind, moments.at(-1));
    }
    if (!done) await run(killed, kind);
    t.diagnostic(`killed after ${moments.join(', ')} ms`);
    assert.deepEqual(await weightsOf((await loadModel(killed)).model), await weightsOf((await loadModel(whole)).model));
    const history = await historyOf(whole);
    assert.deepEqual(await historyOf(killed), history);
    const troubles = history.filter(({ type }) => type === 'trouble');
    assert.equal(troubles.length > 0, kind === 'unsteady');
  });
}

/**
 * `npm run bench`: images per second of this project's backend and of every peer on the machine, in the same run.
 * Everyone gets a turn in every round, so that a noisy machine is noisy to all; medians are compared.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { benchAugment } from './augment.ts';
import { Peer } from './child.ts';
import { layersTable } from './layers.ts';
import { benchOrdinary } from './ordinary.ts';
import { findPeer, ours, oursInPage, PEERS, type PeerName, type Places, type Shortcut } from './peers.ts';
import { type Line, reportOf, tableOf } from './report.ts';
import { median, type Work, workOf } from './work.ts';

const HELP = `npm run bench -- train|infer|augment|ordinary [options]

augment takes --runs and --seconds only: images a second that one thread decodes, augments and normalises.
ordinary takes --runs and --json only: ordinary TF.js code with small tensors, on this project's backend and on stock cpu.
For train and infer:

  --stem cifar|imagenet   32×32 images and 10 classes, or 224×224 and 1000 (default cifar)
  --batch N               images per step (default: cifar training 128, else 16)
  --threads N             threads of everyone (default: the machine's, ${availableParallelism()})
  --runs N                rounds (default 5)
  --seconds S             least time of a turn (default 2)
  --peers LIST            of ${PEERS.join(', ')}, or none (default: all that are found)
  --layers                where the time of a step goes, kernel by kernel, beside the machine's bounds; no peers
  --page                  measure this project's backend in a page of headless Chromium, not in Node
  --python PATH           the interpreter that has torch
  --onnxruntime FOLDER    a folder in which onnxruntime-node is installed
  --json                  one object instead of the table

Example: npm run bench -- train --stem imagenet --peers pytorch`;

/** A mistake on the command line: one line, exit code 2. */
class UsageError extends Error {}

interface Options {
  readonly work: Work;
  readonly runs: number;
  readonly seconds: number;
  /** Undefined: all that are found. */
  readonly peers: readonly PeerName[] | undefined;
  readonly places: Places;
  readonly page: boolean;
  readonly layers: boolean;
  readonly json: boolean;
}

function parse(): Options | undefined {
  let parsed: ReturnType<typeof read>;
  try {
    parsed = read();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  if (values.help) return undefined;
  const mode = oneOf('the work', positionals[0] ?? 'nothing', ['train', 'infer']);
  if (positionals.length > 1) throw new UsageError(`one work at a time; received ${positionals.join(' ')}`);
  const stem = oneOf('--stem', values.stem, ['cifar', 'imagenet']);
  const threads = values.threads === undefined ? availableParallelism() : count('--threads', values.threads);
  const batch = values.batch === undefined ? undefined : count('--batch', values.batch);
  const seconds = Number(values.seconds);
  if (!(seconds >= 0)) throw new UsageError(`--seconds must be a number, 0 or more; received ${values.seconds}`);
  let peers: readonly PeerName[] | undefined;
  if (values.peers === 'none') peers = [];
  else if (values.peers !== undefined) peers = values.peers.split(',').map((name) => oneOf('--peers', name, PEERS));
  return {
    work: workOf(mode, stem, threads, batch),
    runs: count('--runs', values.runs),
    seconds,
    peers,
    places: {
      ...(values.python === undefined ? {} : { python: values.python }),
      ...(values.onnxruntime === undefined ? {} : { onnxruntime: values.onnxruntime }),
    },
    page: values.page,
    layers: values.layers,
    json: values.json,
  };
}

function read() {
  return parseArgs({
    allowPositionals: true,
    options: {
      stem: { type: 'string', default: 'cifar' },
      batch: { type: 'string' },
      threads: { type: 'string' },
      runs: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      peers: { type: 'string' },
      page: { type: 'boolean', default: false },
      layers: { type: 'boolean', default: false },
      python: { type: 'string' },
      onnxruntime: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
}

function oneOf<T extends string>(what: string, value: string, choices: readonly T[]): T {
  const choice = choices.find((name) => name === value);
  if (choice === undefined) throw new UsageError(`${what} must be one of ${choices.join(', ')}; received ${value}`);
  return choice;
}

function count(what: string, value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1)
    throw new UsageError(`${what} must be a whole number, 1 or more; received ${value}`);
  return number;
}

const progress = (text: string) => process.stderr.write(`${text}\n`);

/** A peer at work, and the speeds that it reached, one per round. */
interface Runner {
  readonly peer: Peer;
  readonly shortcut?: Shortcut;
  readonly rates: number[];
}

/** Steps until compilers, allocators and clocks have settled. */
async function warmUp(peer: Peer, seconds: number): Promise<void> {
  for (let i = 0; i < 2; i++) await peer.turn(0);
  await peer.turn(seconds);
}

/** Starts every peer that is found, warm. One that is missing or fails is an error only if it was asked for by name. */
async function startPeers({ work, peers, places, page, seconds }: Options): Promise<readonly Runner[]> {
  const runners: Runner[] = [];
  for (const name of peers ?? PEERS.filter((peer) => !(page && peer === 'chromium'))) {
    try {
      const plan = await findPeer(name, work, places);
      if ('absent' in plan) throw new Error(`${name}: ${plan.absent}`);
      const peer = await Peer.start(name, plan.command);
      const { shortcut } = plan;
      progress(`${name} ${peer.ready.version}: ${shortcut?.note ?? 'warms up'}`);
      if (shortcut === undefined) await warmUp(peer, seconds);
      runners.push({ peer, rates: [], ...(shortcut === undefined ? {} : { shortcut }) });
    } catch (error) {
      if (peers !== undefined) throw error;
      progress(`left out: ${error instanceof Error ? error.message : error}`);
    }
  }
  return runners;
}

async function measure(runners: readonly Runner[], runs: number, seconds: number): Promise<void> {
  for (let round = 1; round <= runs; round++) {
    const rates: string[] = [];
    for (const { peer, shortcut, rates: all } of runners) {
      if (shortcut !== undefined && round > 1) continue;
      const { images, seconds: taken } = await peer.turn(shortcut === undefined ? seconds : 0);
      const rate = (images / taken) * (shortcut?.share ?? 1);
      all.push(rate);
      rates.push(`${peer.name} ${rate.toFixed(rate < 1 ? 4 : 2)}`);
    }
    progress(`round ${round} of ${runs}: ${rates.join(', ')} images/s`);
  }
}

function lineOf({ peer, shortcut, rates }: Runner): Line {
  return {
    name: shortcut !== undefined && shortcut.share < 1 ? `${peer.name} (estimated)` : peer.name,
    version: peer.ready.version,
    imagesPerSecond: median(rates),
    peakBytes: peer.peakBytes,
    ...(shortcut === undefined ? {} : { note: shortcut.note }),
  };
}

async function main(): Promise<void> {
  if (process.argv[2] === 'augment') {
    const { values } = read();
    await benchAugment(count('--runs', values.runs), Number(values.seconds));
    return;
  }
  if (process.argv[2] === 'ordinary') {
    const { values } = read();
    await benchOrdinary(count('--runs', values.runs), values.json);
    return;
  }
  const options = parse();
  if (options === undefined) {
    console.log(HELP);
    return;
  }
  const { work, runs, seconds, page, json } = options;
  if (options.layers) {
    console.log(layersTable(work, seconds));
    return;
  }
  const jit: Runner = { peer: await Peer.start('jit', page ? oursInPage(work) : ours(work)), rates: [] };
  progress('jit: warms up');
  await warmUp(jit.peer, seconds);
  const peers = await startPeers(options);
  await measure([jit, ...peers], runs, seconds);
  const lines = peers.map(lineOf);
  const own = lineOf(jit);
  await Promise.all([jit, ...peers].map(({ peer }) => peer.end()));
  console.log(json ? JSON.stringify(reportOf(work, own, lines), null, 2) : tableOf(work, runs, own, lines));
}

try {
  await main();
  process.exit(0);
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  // Children end with this process: their stdin closes.
  process.exit(error instanceof UsageError ? 2 : 1);
}

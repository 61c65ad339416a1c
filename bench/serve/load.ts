/** What the server costs over its engine: throughput on real JPEGs under load, p99 at half of that load, and one request on
 *  an idle server: `npx node bench/serve/load.ts [--size 224] [--rounds 3] [--pictures 320]`. Server and engine take turns.
 *  Ends with 1 below 85 %, above 500 ms or above 5 ms more. Processor time per picture is told beside it: on a busy machine
 *  it is the fairer measure, best with `--threads 1`. */

import { fork } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import { median } from '../work.ts';
import { startServer, temporaryFolder, writeJpegs, writeNetwork } from './material.ts';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '224' },
    rounds: { type: 'string', default: '3' },
    pictures: { type: 'string', default: '320' },
    batch: { type: 'string', default: '16' },
    connections: { type: 'string', default: '48' },
    decoders: { type: 'string', default: '2' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
});
const { size, rounds, pictures, batch, connections } = Object.fromEntries(
  Object.entries(values).map(([name, value]) => [name, Number(value)]),
) as Record<keyof typeof values, number>;

const folder = await temporaryFolder();
const model = join(folder, 'model');
await writeNetwork(model, size, 1);
const files = await writeJpegs(join(folder, 'jpegs'), 32);
const jpegs = await Promise.all(files.map((file) => readFile(file)));
process.env.JIT_THREADS = values.threads;
const engine = fork(join(import.meta.dirname, 'engine.ts'), [model, String(batch), ...files]);
const answer = () =>
  new Promise<number>((resolve) => engine.once('message', ({ value }: { value: number }) => resolve(value)));
const askEngine = (question: object) => {
  const answered = answer();
  engine.send(question);
  return answered;
};
await answer();
const server = await startServer([
  model,
  '--max-batch',
  String(batch),
  '--decoders',
  values.decoders,
  '--log-level',
  'warn',
]);

const requests = jpegs.map((body) => ({
  method: 'POST' as const,
  path: '/v1/classify',
  headers: { 'content-type': 'image/jpeg' },
  body,
}));
const load = (options: object) => autocannon({ url: server.url, requests, timeout: 60, ...options });

// Both begin warm: a cold server compiles itself.
await load({ connections, amount: pictures });
await askEngine({ pictures });
interface Rate {
  /** Pictures a second, and milliseconds of processor time for each. */
  readonly rate: number;
  readonly cpu: number;
}
const rounded: { readonly engine: Rate; readonly server: Rate }[] = [];
for (let round = 0; round < rounds; round++) {
  const alone = await measured(engine.pid, () => askEngine({ pictures }));
  const served = await measured(server.process.pid, async () => {
    const { non2xx, errors, requests: answers, duration } = await load({ connections, amount: pictures });
    if (non2xx > 0 || errors > 0) throw new Error(`${non2xx} refusals, ${errors} errors`);
    return answers.total / duration;
  });
  rounded.push({ engine: alone, server: served });
  console.log(`engine ${shown(alone)}; server ${shown(served)}`);
}
const of = (pick: (round: (typeof rounded)[number]) => number) => median(rounded.map(pick));
const whole = of(({ server: { rate } }) => rate);
console.log(`throughput: ${(100 * of((r) => r.server.rate / r.engine.rate)).toFixed(0)} % of the engine's`);
console.log(`processor time: ${(100 * of((r) => r.engine.cpu / r.server.cpu)).toFixed(0)} % of it is the engine's`);

const half = await load({ connections: 64, overallRate: Math.max(1, Math.round(whole / 2)), amount: pictures });
console.log(`half load: ${half.requests.average.toFixed(1)}/s, p50 ${half.latency.p50} ms, p99 ${half.latency.p99} ms`);

const extra: number[] = [];
const bare: number[] = [];
for (let i = 0; i < 40; i++) {
  const alone = await askEngine({});
  const start = performance.now();
  const response = await fetch(`${server.url}/v1/classify`, requests[i % requests.length]);
  await response.json();
  const served = performance.now() - start;
  bare.push(alone);
  extra.push(served - alone);
}
console.log(`idle: ${median(bare).toFixed(1)} ms bare, ${median(extra).toFixed(1)} ms more by the server`);
console.log(`memory of the server: ${(await memoryOf(server.process.pid ?? 0)).toFixed(0)} MB`);

engine.kill();
const code = await server.stop();
await rm(folder, { recursive: true });
const isKept =
  of((r) => r.server.rate / r.engine.rate) >= 0.85 && half.latency.p99 <= 500 && median(extra) <= 5 && code === 0;
process.exitCode = isKept ? 0 : 1;

async function measured(pid: number | undefined, run: () => Promise<number>): Promise<Rate> {
  const [before, start] = [await processorTime(pid), performance.now()];
  const rate = await run();
  const pictures = (rate * (performance.now() - start)) / 1000;
  return { rate, cpu: ((await processorTime(pid)) - before) / pictures };
}

function shown({ rate, cpu }: Rate): string {
  return `${rate.toFixed(1)}/s, ${cpu.toFixed(1)} ms of processor time each`;
}

/** Milliseconds that a process has computed, as Linux counts them in hundredths of a second. */
async function processorTime(pid = 0): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

/** Resident megabytes of a process. */
async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024;
}

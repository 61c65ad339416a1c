/** What the server promises, under attack and under load: `npx node bench/serve/soak.ts [--requests 20000] [--switches 50]`.
 *  Mixed good and bad requests leave memory flat and get what each deserves; versions switch and SIGTERM comes under load. */

import assert from 'node:assert/strict';
import { cp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Attack, makeAttacks } from './attacks.ts';
import { type Expected, expectedOf, makePictures } from './expected.ts';
import { type RunningServer, startServer, temporaryFolder, writeNetwork } from './material.ts';

const { values } = parseArgs({
  options: { requests: { type: 'string', default: '20000' }, switches: { type: 'string', default: '50' } },
});
const [requests, switches] = [Number(values.requests), Number(values.switches)];
/** Networks with different answers, which the versions take in turn. */
const NETWORKS = 4;
const SIZE = 8;
const token = 'soak-token';
process.env.RESIDUAL_TOKEN = token;

const folder = await temporaryFolder();
for (let n = 0; n < NETWORKS; n++) await writeNetwork(join(folder, `network-${n}`), SIZE, n + 1, 3, 4);
const pictures = await makePictures(6);
const expected: Expected = await expectedOf(
  Array.from({ length: NETWORKS }, (_, n) => join(folder, `network-${n}`)),
  pictures,
);
const versions = join(folder, 'net');
const addVersion = async (version: number) => {
  const aside = join(folder, 'aside');
  await cp(join(folder, `network-${version % NETWORKS}`), aside, { recursive: true });
  await rename(aside, join(versions, String(version)));
};
await cp(join(folder, 'network-1'), join(versions, '1'), { recursive: true });

const start = (...args: string[]) =>
  startServer([`net=${versions}`, `other=${join(folder, 'network-2')}`, '--log-level', 'error', ...args]);

await mixed();
await switching();
await stopping();
await rm(folder, { recursive: true });

/** Many requests of all kinds, some at a time. */
async function mixed(): Promise<void> {
  const server = await start('--receive-timeout', '5', '--queue', '64', '--reload', '0');
  const attacks = await makeAttacks({ server, token, pictures, expected, network: 1, other: 2 });
  const counts = new Map<string, number>();
  const memory: number[] = [];
  let sent = 0;
  let refused = 0;
  const worker = async (): Promise<void> => {
    while (sent < requests) {
      const n = sent++;
      if (n % Math.ceil(requests / 20) === 0) memory.push(await memoryOf(server));
      const attack = attacks[(n * 7919) % attacks.length] as Attack;
      const status = await attack.run(n).catch((error: Error) => assert.fail(`${attack.name}: ${error.message}`));
      counts.set(`${attack.name}: ${status}`, (counts.get(`${attack.name}: ${status}`) ?? 0) + 1);
      if (status === 503) refused++;
      else assert.ok(attack.deserves.includes(status), `${attack.name}: ${status}, deserved ${attack.deserves}`);
    }
  };
  await Promise.all(Array.from({ length: 24 }, worker));
  memory.push(await memoryOf(server));
  for (const [what, count] of [...counts].sort()) console.log(`  ${String(count).padStart(6)}  ${what}`);
  console.log(`memory in MB: ${memory.map((one) => one.toFixed(0)).join(' ')}`);
  const quarter = memory.slice(0, Math.ceil(memory.length / 4));
  const last = memory.slice(-Math.ceil(memory.length / 4));
  assert.ok(Math.min(...last) < 1.1 * Math.max(...quarter) + 20, 'memory grows');
  const text = await metricsOf(server);
  for (const name of ['residual_queue_pictures', 'residual_body_bytes']) {
    assert.match(text, new RegExp(`^${name} 0$`, 'm'), `${name} does not come back to 0`);
  }
  assert.doesNotMatch(text, /code="5(?!03)/, 'a fault of the server');
  assert.equal(await server.stop(), 0);
  console.log(`mixed: ${requests} requests, ${refused} refused by 503`);
}

/** New versions appear while many ask; each answer must be the one of the version that it names. */
async function switching(): Promise<void> {
  const server = await start('--reload', '0.2', '--keep', '1', '--queue', '1000');
  let stop = false;
  let answers = 0;
  const seen = new Set<number>();
  const asker = async (n: number): Promise<void> => {
    for (let i = n; !stop; i++) {
      const place = i % pictures.length;
      const response = await fetch(`${server.url}/v1/models/net:classify?top=3`, {
        method: 'POST',
        headers: { 'content-type': 'image/jpeg', authorization: `Bearer ${token}` },
        body: pictures[place] as BodyInit,
      });
      const answer = (await response.json()) as { version: number; classes: { name: string; probability: number }[] };
      assert.equal(response.status, 200, JSON.stringify(answer));
      expected.check(answer.version % NETWORKS, place, answer.classes);
      seen.add(answer.version);
      answers++;
    }
  };
  const askers = Promise.all(Array.from({ length: 16 }, (_, n) => asker(n)));
  askers.catch(() => {}); // told below
  const tensors: number[] = [];
  for (let version = 2; version <= switches + 1; version++) {
    await addVersion(version);
    const end = performance.now() + 60_000;
    while (!seen.has(version)) {
      assert.ok(performance.now() < end, `version ${version} does not come`);
      await Promise.race([askers, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
    if (version > 2) await rm(join(versions, String(version - 2)), { recursive: true, force: true });
    const [, count] = /^residual_tensors (\d+)$/m.exec(await metricsOf(server)) ?? [];
    tensors.push(Number(count));
  }
  stop = true;
  await askers;
  console.log(
    `switching: ${switches} switches under ${answers} answers of ${seen.size} versions, none dropped or mixed`,
  );
  console.log(
    `tensors: ${tensors.slice(0, 3).join(' ')} … ${tensors.slice(-3).join(' ')}; memory ${(await memoryOf(server)).toFixed(0)} MB`,
  );
  // A batch may be under way, and an old version may still have a user.
  assert.ok(Math.min(...tensors.slice(-5)) <= Math.max(...tensors.slice(0, 5)), 'tensors of old versions stay');
  assert.equal(await server.stop(), 0);
}

/** SIGTERM while many ask: what was sent before it is answered in full. */
async function stopping(): Promise<void> {
  const server = await start('--queue', '1000');
  let signalled = Number.POSITIVE_INFINITY;
  const outcomes = { before: 0, answered: 0, after: 0 };
  const asker = async (n: number): Promise<void> => {
    for (let i = n; performance.now() < signalled + 200; i++) {
      const sent = performance.now();
      const trouble = await fetch(`${server.url}/v1/models/other:classify`, {
        method: 'POST',
        headers: { 'content-type': 'image/jpeg', authorization: `Bearer ${token}`, connection: 'close' },
        body: pictures[i % pictures.length] as BodyInit,
      })
        .then(async (response) => {
          await response.json();
          return response.status === 200 ? undefined : `status ${response.status}`;
        })
        .catch((error: Error) => String(error.cause ?? error));
      // What was under way to the server at that moment may have met a closed door.
      if (sent > signalled - 100) outcomes.after += Number(trouble === undefined);
      else {
        outcomes.before++;
        outcomes.answered += Number(trouble === undefined);
        assert.equal(trouble, undefined, `sent ${Math.round(signalled - sent)} ms before SIGTERM: ${trouble}`);
      }
    }
  };
  const askers = Promise.all(Array.from({ length: 32 }, (_, n) => asker(n)));
  await new Promise((resolve) => setTimeout(resolve, 2000));
  signalled = performance.now();
  const code = await server.stop();
  const took = performance.now() - signalled;
  await askers;
  assert.equal(code, 0);
  assert.equal(outcomes.answered, outcomes.before);
  console.log(`SIGTERM: ${outcomes.before} sent before it and answered, ended ${took.toFixed(0)} ms after it`);
}

async function metricsOf(server: RunningServer): Promise<string> {
  const headers = { authorization: `Bearer ${token}` };
  return (await fetch(`${server.url}/metrics`, { headers })).text();
}

/** Resident megabytes. */
async function memoryOf(server: RunningServer): Promise<number> {
  const status = await readFile(`/proc/${server.process.pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024;
}

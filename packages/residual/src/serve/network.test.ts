/** On a real network: slow and broken clients, those who leave, and an end that drops nothing. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { test } from 'node:test';
import { brightness, fakeServer, greyPng, until } from './testing.ts';

const png = { 'content-type': 'image/png' };

async function listening(t: { after(fn: () => unknown): void }, ...rest: Parameters<typeof fakeServer>) {
  const server = await fakeServer(...rest);
  t.after(() => server.close());
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  const metrics = async () => (await server.app.inject('/metrics')).body;
  return { server, url, metrics };
}

async function open(url: string, text: string): Promise<Socket> {
  const socket = connectSocket(Number(new URL(url).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

/** All that a connection receives until it is closed. */
async function received(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text;
}

test('clients that are too slow, and what is no HTTP', async (t) => {
  const { url, metrics } = await listening(t, { m: brightness() }, { limits: { receiveTimeout: 0.4 } });
  const start = 'POST /v1/classify HTTP/1.1\r\nhost: x\r\n';
  const [headers, body, nonsense, large] = await Promise.all([
    open(url, start).then(received),
    open(url, `${start}content-type: image/png\r\ncontent-length: 100\r\n\r\nabc`).then(received),
    open(url, 'hello\r\n\r\n').then(received),
    open(url, `${start}content-length: 1000000000\r\n\r\n`).then(received),
  ]);
  assert.match(headers, /^HTTP\/1\.1 408 [\s\S]*\{"error":"the request did not arrive in time"\}$/);
  assert.match(body, /^HTTP\/1\.1 408 [\s\S]*\{"error":"/);
  assert.match(nonsense, /^HTTP\/1\.1 400 [\s\S]*\{"error":"this is not a valid HTTP request"\}$/);
  assert.match(large, /^HTTP\/1\.1 413 [\s\S]*\{"error":"the body may have \d+ bytes at most, received 1000000000"\}/);
  await until(async () => /residual_body_bytes 0\n/.test(await metrics()), 'their memory is free again');
});

test('bodies have a bound together', async (t) => {
  const { url, metrics } = await listening(t, { m: brightness() }, { limits: { maxBodies: 1000, maxBody: 800 } });
  const file = await greyPng(1);
  const socket = await open(url, 'POST /v1/classify HTTP/1.1\r\nhost: x\r\ncontent-length: 800\r\n\r\nabc');
  await until(async () => /residual_body_bytes 800\n/.test(await metrics()), 'the first is being received');
  const chunked = new Blob([Buffer.alloc(10)]).stream(); // of unknown length: it could be the largest
  const refused = await fetch(`${url}/v1/classify`, {
    method: 'POST',
    headers: png,
    body: chunked,
    duplex: 'half',
  } as RequestInit);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.equal((await fetch(`${url}/v1/classify`, { method: 'POST', headers: png, body: file })).status, 200);
  socket.destroy();
  await until(async () => /residual_body_bytes 0\n/.test(await metrics()), 'who leaves frees it');
});

test('who leaves does not keep his place in the queue', async (t) => {
  const classifier = brightness();
  const { url, metrics } = await listening(t, { m: classifier }, { limits: { queue: 50, maxBatch: 1 } });
  const file = await greyPng(1);
  const go = classifier.hold();
  const leaver = new AbortController();
  const asked = Array.from({ length: 6 }, () =>
    fetch(`${url}/v1/classify`, { method: 'POST', headers: png, body: file, signal: leaver.signal }),
  );
  const ended = Promise.allSettled(asked);
  await until(async () => /residual_queue_pictures [4-6]\n/.test(await metrics()), 'they wait');
  leaver.abort();
  await ended;
  await until(async () => /residual_queue_pictures 0\n/.test(await metrics()), 'nobody waits');
  go();
});

test('a request that takes too long is 503', async (t) => {
  const classifier = brightness();
  const { url } = await listening(t, { m: classifier }, { limits: { timeout: 0.2 } });
  const file = await greyPng(1);
  const go = classifier.hold();
  const response = await fetch(`${url}/v1/classify`, { method: 'POST', headers: png, body: file });
  go();
  assert.equal(response.status, 503);
  assert.match(((await response.json()) as { error: string }).error, /not answered within 0.2 seconds/);
});

test('closing: what was accepted is answered, then nothing listens and the models are let go', async (t) => {
  const classifier = brightness();
  const { server, url, metrics } = await listening(t, { m: classifier }, { linger: 1.5 });
  const file = await greyPng(255);
  const go = classifier.hold();
  const ask = () => fetch(`${url}/v1/classify`, { method: 'POST', headers: png, body: file });
  const asked = Array.from({ length: 20 }, ask);
  const here = (count: number) =>
    until(
      async () => (await metrics()).includes(`residual_body_bytes ${count * file.length}\n`),
      `${count} requests are here`,
    );
  await here(20);
  const closed = server.close();
  const ready = await fetch(`${url}/health/ready`);
  assert.deepEqual([ready.status, await ready.json()], [503, { status: 'the server is going down' }]);
  assert.equal((await fetch(`${url}/health/live`)).status, 200);
  const late = ask();
  await here(21);
  assert.equal(classifier.disposed, false);
  go();
  for (const response of await Promise.all([...asked, late])) assert.equal(response.status, 200);
  await closed;
  assert.equal(classifier.disposed, true);
  await assert.rejects(ask());
});

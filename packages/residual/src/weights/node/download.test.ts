import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { WeightsError } from '../errors.ts';
import { cached, type DownloadProgress, type DownloadRequest, download } from './download.ts';
import { type Behaviour, expectedOf, noise, sendFile, serve, type TestServer } from './testing/server.ts';

const file = noise(300_000);
const other = noise(300_000, 2);
const right = expectedOf(file);

async function setUp(t: TestContext, behaviour: Behaviour, path = '/w.bin') {
  const server = await serve(behaviour);
  t.after(() => server.close());
  const home = join(await mkdtemp(join(tmpdir(), 'residual-weights-')), 'cache');
  const place = { home, key: 'test--w', file: 'w.bin' };
  const request: DownloadRequest = {
    ...place,
    url: new URL(path, server.origin),
    label: 'test/w',
    expected: right,
    backoff: 1,
    silence: 5000,
    env: {},
  };
  return { server, home, place, request };
}

async function assertWhole(home: string, path: string, bytes = file): Promise<void> {
  assert.deepEqual(new Uint8Array(await readFile(path)), bytes);
  assert.deepEqual(await readdir(home), ['test--w'], 'only the finished folder is left');
  assert.deepEqual((await readdir(join(home, 'test--w'))).sort(), ['.download.json', 'w.bin']);
}

async function assertFails(request: DownloadRequest, message: RegExp, hint?: RegExp): Promise<WeightsError> {
  const error = await download(request).then(
    () => assert.fail('it arrived'),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof WeightsError, String(error));
  assert.match(error.message, message);
  assert.ok(!error.message.includes('\n'));
  if (hint !== undefined) assert.match(error.hint ?? '', hint);
  return error;
}

const ranges = ({ log }: TestServer) => log.map((line) => line.split(' bytes=')[1] ?? 'whole');

test('a file arrives whole, with progress, and is found without a request afterwards', async (t) => {
  const { server, home, place, request } = await setUp(t, (asked, answer) => sendFile(asked, answer, file));
  const seen: DownloadProgress[] = [];
  const path = await download({ ...request, onProgress: (progress) => seen.push(progress) });
  await assertWhole(home, path);
  assert.equal(seen.at(-1)?.received, file.length);
  assert.ok(seen.every(({ total }) => total === file.length));
  const notes = JSON.parse(await readFile(join(home, 'test--w', '.download.json'), 'utf8')) as Record<string, unknown>;
  assert.equal(notes.sha256, right.sha256);
  assert.equal(notes.checked, 'sha256');
  assert.deepEqual(await cached(place, right), { path });
  assert.equal(server.log.length, 1);
});

test('a connection that breaks is taken up where it broke', async (t) => {
  const { server, home, request } = await setUp(t, (asked, answer, count) =>
    sendFile(asked, answer, file, { etag: '"a"', ...(count < 3 ? { breakAfter: 70_000 } : {}) }),
  );
  await assertWhole(home, await download(request));
  assert.deepEqual(ranges(server), ['whole', '70000-', '140000-', '210000-']);
});

test('a server that ignores Range sends all of it again', async (t) => {
  const { server, home, request } = await setUp(t, (asked, answer, count) =>
    sendFile(asked, answer, file, { etag: '"a"', ignoreRange: true, ...(count === 0 ? { breakAfter: 70_000 } : {}) }),
  );
  await assertWhole(home, await download(request));
  assert.deepEqual(ranges(server), ['whole', '70000-']);
});

test('a file that changes between two parts is begun anew', async (t) => {
  const careful = await setUp(t, (asked, answer, count) =>
    count === 0
      ? sendFile(asked, answer, other, { etag: '"old"', breakAfter: 70_000 })
      : sendFile(asked, answer, file, { etag: '"new"' }),
  );
  await assertWhole(careful.home, await download(careful.request));
  assert.deepEqual(ranges(careful.server), ['whole', '70000-'], 'If-Range let the server send all of the new file');

  // This one does not know If-Range, and sends a part of another file: only the ETag tells.
  const careless = await setUp(t, (asked, answer, count) => {
    delete asked.headers['if-range'];
    if (count === 0) sendFile(asked, answer, other, { etag: '"old"', breakAfter: 70_000 });
    else sendFile(asked, answer, file, { etag: '"new"' });
  });
  await assertWhole(careless.home, await download({ ...careless.request, expected: {} }));
  assert.deepEqual(ranges(careless.server), ['whole', '70000-', 'whole']);
});

test('without a version and a checksum, nothing is put together from two answers', async (t) => {
  const { server, home, request } = await setUp(t, (asked, answer, count) =>
    sendFile(asked, answer, file, count === 0 ? { breakAfter: 70_000 } : {}),
  );
  await assertWhole(home, await download({ ...request, expected: {} }));
  assert.deepEqual(ranges(server), ['whole', 'whole']);
});

test('Last-Modified serves where there is no ETag, a weak ETag does not', async (t) => {
  const modified = { lastModified: 'Wed, 21 Oct 2015 07:28:00 GMT' };
  const { server, request, home } = await setUp(t, (asked, answer, count) =>
    sendFile(asked, answer, file, { ...modified, ...(count === 0 ? { breakAfter: 9000 } : {}) }),
  );
  await assertWhole(home, await download({ ...request, expected: {} }));
  assert.deepEqual(ranges(server), ['whole', '9000-']);
  const weak = await setUp(t, (asked, answer, count) =>
    sendFile(asked, answer, file, { etag: 'W/"a"', ...(count === 0 ? { breakAfter: 9000 } : {}) }),
  );
  await assertWhole(weak.home, await download({ ...weak.request, expected: {} }));
  assert.deepEqual(ranges(weak.server), ['whole', 'whole']);
});

test('wrong bytes are thrown away, whatever they pretend', async (t) => {
  const { home, request } = await setUp(t, (asked, answer) => sendFile(asked, answer, other, { etag: '"a"' }));
  await assertFails(
    request,
    /^test\/w: 127\.0\.0\.1:\d+ serves another file than the published one: it has the SHA-256/,
  );
  assert.deepEqual(await readdir(home), []);
  await assertFails({ ...request, expected: { sha256: right.sha256.slice(0, 8) } }, /must have [0-9a-f]{8}…/);
  await assertFails({ ...request, expected: { md5: right.md5 } }, /it has the MD5/);
  assert.deepEqual(await readdir(home), []);
});

test('a known beginning of the checksum and an MD5 are enough to pass', async (t) => {
  const { home, request } = await setUp(t, (asked, answer) => sendFile(asked, answer, file));
  await assertWhole(home, await download({ ...request, expected: { sha256: right.sha256.slice(0, 8).toUpperCase() } }));
  await assertWhole(home, await download({ ...request, expected: { md5: right.md5 } }));
});

test('a checksum that the server itself announces is checked too', async (t) => {
  const behaviour =
    (sha256: string): Behaviour =>
    (asked, answer) => {
      if (asked.url === '/w.bin') {
        answer.writeHead(302, { location: '/store', 'x-linked-etag': `"${sha256}"`, 'x-linked-size': '300000' }).end();
      } else sendFile(asked, answer, file);
    };
  const good = await setUp(t, behaviour(right.sha256));
  await assertWhole(good.home, await download({ ...good.request, expected: {} }));
  const bad = await setUp(t, behaviour(expectedOf(other).sha256));
  await assertFails({ ...bad.request, expected: {} }, /it has the SHA-256/);
});

test('lies about the length', async (t) => {
  // Another length than the published one: not a byte is kept.
  const announced = await setUp(t, (asked, answer) => sendFile(asked, answer, file, { length: 1234 }));
  await assertFails(announced.request, /announces 1,234 bytes, the published file has 300,000$/, /login page/);
  assert.deepEqual(await readdir(announced.home), []);

  // More is promised than comes, each time.
  const promised = await setUp(t, (_, answer) => {
    answer.writeHead(200, { 'content-length': 300_000 });
    answer.write(file.subarray(0, 1000), () => answer.destroy());
  });
  await assertFails(
    { ...promised.request, retries: 2 },
    /failed 3 times, the last time since: the connection was dropped$/,
    /what has arrived is kept/,
  );

  // No length, and less or more than there should be.
  const chunked =
    (bytes: Uint8Array): Behaviour =>
    (_, answer) => {
      answer.writeHead(200, { etag: '"a"' });
      answer.write(bytes.subarray(0, 1000));
      answer.end(bytes.subarray(1000));
    };
  const less = await setUp(t, chunked(file.subarray(0, 5000)));
  await assertFails({ ...less.request, retries: 1 }, /the connection ended early$/);
  const more = await setUp(t, chunked(noise(400_000)));
  await assertFails(more.request, /sends more than the 300,000 bytes of the file$/);
  assert.deepEqual(await readdir(more.home), []);

  // The part is of another place than was asked for.
  const misplaced = await setUp(t, (asked, answer, count) => {
    if (count !== 1)
      return sendFile(asked, answer, file, { etag: '"a"', ...(count === 0 ? { breakAfter: 50_000 } : {}) });
    answer.writeHead(206, { 'content-range': 'bytes 60000-299999/300000', etag: '"a"' }).end(file.subarray(60_000));
  });
  await assertWhole(misplaced.home, await download(misplaced.request));
  assert.deepEqual(ranges(misplaced.server), ['whole', '50000-', 'whole']);
});

test('redirects are followed, but not in circles, and to nothing but the web', async (t) => {
  const hops = await setUp(
    t,
    (asked, answer) => {
      const n = Number(asked.url?.slice(1));
      if (n < 3) answer.writeHead(302, { location: `/${n + 1}` }).end('elsewhere');
      else sendFile(asked, answer, file);
    },
    '/0',
  );
  await assertWhole(hops.home, await download(hops.request));
  const circle = await setUp(t, (_, answer) => answer.writeHead(301, { location: '/w.bin' }).end());
  await assertFails(circle.request, /leads from one address to the next more than 8 times$/);
  assert.equal(circle.server.log.length, 9);
  for (const location of ['file:///etc/passwd', 'ftp://127.0.0.1/x', 'data:,x', 'javascript:0', 'http://[']) {
    const away = await setUp(t, (_, answer) => answer.writeHead(302, { location }).end());
    await assertFails(away.request, /leads to (a \w+: address|no address), which is not followed$/);
  }
});

test('silence is ended, before the answer and in its middle', async (t) => {
  const mute = await setUp(t, () => {});
  await assertFails({ ...mute.request, silence: 60, retries: 1 }, /has said nothing for 0\.1 s$/);
  assert.equal(mute.server.log.length, 2);
  const stuck = await setUp(t, (asked, answer, count) => {
    if (count > 0) return sendFile(asked, answer, file, { etag: '"a"' });
    answer.writeHead(200, { 'content-length': file.length, etag: '"a"' });
    answer.write(file.subarray(0, 100_000));
  });
  await assertWhole(stuck.home, await download({ ...stuck.request, silence: 600 }));
  assert.deepEqual(ranges(stuck.server), ['whole', '100000-']);
});

test('what a server refuses is said at once; what may pass is tried again', async (t) => {
  for (const [status, message] of [
    [404, /does not have it \(status 404\): http:\/\/127\.0\.0\.1:\d+\/w\.bin$/],
    [403, /refuses it \(status 403\)/],
    [401, /asks for a login \(status 401\)/],
    [418, /refuses it \(status 418\)/],
    [204, /answers with status 204, which is not understood/],
  ] as const) {
    const refused = await setUp(t, (_, answer) => answer.writeHead(status).end('no'));
    await assertFails(refused.request, message);
    assert.equal(refused.server.log.length, 1);
  }
  const passing = await setUp(t, (asked, answer, count) => {
    if (count === 0) answer.writeHead(500).end();
    else if (count === 1) answer.writeHead(503, { 'retry-after': '0' }).end();
    else if (count === 2) answer.writeHead(429).end();
    else sendFile(asked, answer, file);
  });
  await assertWhole(passing.home, await download(passing.request));
  const lasting = await setUp(t, (_, answer) => answer.writeHead(500).end());
  await assertFails({ ...lasting.request, retries: 3 }, /failed 4 times, the last time since: .* status 500$/);
  assert.equal(lasting.server.log.length, 4);
});

test('a web page instead of a file is recognised where nothing else could tell', async (t) => {
  const { request } = await setUp(t, (asked, answer) =>
    sendFile(asked, answer, file, { headers: { 'content-type': 'text/html; charset=utf-8' } }),
  );
  await assertFails({ ...request, expected: {} }, /is a web page, not a file of weights$/, /download button/);
});

test('a compressed answer, an empty one, and one that is no HTTP', async (t) => {
  const zipped = await setUp(t, (asked, answer) =>
    sendFile(asked, answer, file, { headers: { 'content-encoding': 'gzip' } }),
  );
  await assertFails(zipped.request, /sends the file as gzip/);
  const empty = await setUp(t, (_, answer) => answer.writeHead(200).end());
  await assertFails({ ...empty.request, expected: {} }, /sends an empty file$/);
  const gibberish = await setUp(t, (_, answer) => answer.socket?.end('hello there\r\n\r\n'));
  await assertFails({ ...gibberish.request, retries: 0 }, /does not speak HTTP/);
});

test('no network is said plainly, with what to do', async (t) => {
  const { request, server, home } = await setUp(t, () => {});
  await server.close();
  const hint =
    /^get http:\/\/127\.0\.0\.1:\d+\/w\.bin by other means, and put it at .*test--w.w\.bin.*RESIDUAL_WEIGHTS_MIRROR\)$/;
  await assertFails(
    request,
    /^test\/w: no network: 127\.0\.0\.1:\d+ cannot be reached: the connection is refused$/,
    hint,
  );
  assert.deepEqual(await readdir(home), []);
  const nowhere = { ...request, url: new URL('http://no-such-host.invalid/w.bin') };
  await assertFails(nowhere, /no network: no-such-host\.invalid cannot be reached: its name/);
});

test('stopping leaves what has arrived, and the next time goes on from there', async (t) => {
  const { request, server, home } = await setUp(t, (asked, answer, count) => {
    if (count > 0) return sendFile(asked, answer, file, { etag: '"a"' });
    answer.writeHead(200, { 'content-length': file.length, etag: '"a"' });
    answer.write(file.subarray(0, 100_000));
  });
  const stop = new AbortController();
  const reason = new Error('stopped by the user');
  const stopped = download({
    ...request,
    signal: stop.signal,
    onProgress: ({ received }) => received === 100_000 && stop.abort(reason),
  });
  await assert.rejects(stopped, (error) => error === reason);
  assert.deepEqual(await readdir(home), ['test--w.part']);
  await assertWhole(home, await download(request));
  assert.deepEqual(ranges(server), ['whole', '100000-']);
  await assert.rejects(download({ ...request, signal: AbortSignal.abort(reason) }), (error) => error === reason);
});

test('the parts of dead processes are taken over, those of living ones are not', async (t) => {
  const { request, server, home } = await setUp(t, (asked, answer) => sendFile(asked, answer, file, { etag: '"a"' }));
  const { hostname } = await import('node:os');
  const host =
    hostname()
      .replace(/[^A-Za-z0-9]/g, '')
      .slice(0, 40) || 'host';
  const notes = JSON.stringify({ url: request.url.href, etag: '"a"', size: file.length });
  const left = async (name: string, bytes: number) => {
    await mkdir(join(home, name), { recursive: true });
    await writeFile(join(home, name, 'w.bin'), file.subarray(0, bytes));
    await writeFile(join(home, name, '.part.json'), notes);
  };
  const living = `test--w.part-${host}-${process.ppid}-0`;
  await left(living, 10_000);
  await left(`test--w.part-${host}-999999999-0`, 20_000);
  await download(request);
  assert.deepEqual(ranges(server), ['20000-']);
  assert.deepEqual((await readdir(home)).sort(), ['test--w', living].sort());
});

test('notes that a kill cut off, and parts larger than the file, are not trusted', async (t) => {
  const { request, server, home } = await setUp(t, (asked, answer) => sendFile(asked, answer, file, { etag: '"a"' }));
  const folder = join(home, 'test--w.part');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'w.bin'), other.subarray(0, 5000));
  await writeFile(join(folder, '.part.json'), '{"url": "http://12');
  await assertWhole(home, await download(request));
  await mkdir(folder);
  await writeFile(join(folder, 'w.bin'), noise(400_000));
  await writeFile(join(folder, '.part.json'), JSON.stringify({ url: request.url.href, etag: '"a"', size: 300_000 }));
  await assertWhole(home, await download(request));
  assert.deepEqual(ranges(server), ['whole', 'whole']);
});

test('many at once: each gets the whole file, and one copy stays', async (t) => {
  const { request, home } = await setUp(t, (asked, answer, count) =>
    sendFile(asked, answer, file, { etag: '"a"', ...(count % 2 === 0 ? { breakAfter: 40_000 } : {}) }),
  );
  const paths = await Promise.all(Array.from({ length: 4 }, () => download(request)));
  assert.equal(new Set(paths).size, 1);
  await assertWhole(home, paths[0] ?? '');
});

test('a file in the cache that was damaged is told from a whole one, and replaced', async (t) => {
  const { request, place, home } = await setUp(t, (asked, answer) => sendFile(asked, answer, file));
  const path = await download({ ...request, expected: {} });
  await writeFile(path, other);
  assert.match(JSON.stringify(await cached(place, {})), /"damaged":"has the SHA-256/);
  await assertWhole(home, await download(request));
  assert.deepEqual(await cached(place, right), { path });
});

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { type TestContext, test } from 'node:test';
import { WeightsError } from '../errors.ts';
import { findWeights } from '../registry/find.ts';
import { redirected } from './http-get.ts';
import { networkError } from './network-errors.ts';
import { type ResolveOptions, resolveWeights, weightsOnDisk } from './resolve.ts';
import { type Behaviour, noise, sendFile, serve, serveProxy } from './testing/server.ts';

const file = noise(20_000);
const send: Behaviour = (asked, answer) => sendFile(asked, answer, file);

/** A folder to look at afterwards, with the cache inside. */
async function setUp(t: TestContext, behaviour: Behaviour = send) {
  const server = await serve(behaviour);
  t.after(() => server.close());
  const root = await mkdtemp(join(tmpdir(), 'residual-resolve-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const cache = join(root, 'a', 'b', 'cache');
  const options: ResolveOptions = { cache, env: {}, backoff: 1, retries: 1, silence: 5000 };
  return { server, root, cache, options };
}

const assertFails = (promise: Promise<unknown>, message: RegExp, hint?: RegExp) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof WeightsError, String(error));
    assert.match(error.message, message);
    if (hint !== undefined) assert.match(error.hint ?? '', hint);
    return true;
  });

test('a URL is downloaded once, and asks no network afterwards', async (t) => {
  const { server, options } = await setUp(t);
  const url = `${server.origin}/models/w.safetensors`;
  const first = await resolveWeights(url, options);
  assert.deepEqual([first.from, first.entry], ['download', undefined]);
  assert.deepEqual(new Uint8Array(await readFile(first.path)), file);
  await server.close();
  assert.deepEqual(await resolveWeights(url, options), { path: first.path, from: 'cache' });
  await assertFails(resolveWeights(`${server.origin}/models/other.safetensors`, options), /no network/);
});

test('URLs that differ in their query only are two files; nothing secret is written down', async (t) => {
  const { server, cache, options } = await setUp(t);
  const url = (token: string) => `${server.origin.replace('//', '//user:password@')}/w.bin?token=${token}#part`;
  const a = await resolveWeights(url('aaa'), options);
  const b = await resolveWeights(url('bbb'), options);
  assert.notEqual(a.path, b.path);
  assert.deepEqual(server.log, ['/w.bin?token=aaa', '/w.bin?token=bbb']);
  for (const path of [a.path, b.path]) {
    const notes = await readFile(join(dirname(path), '.download.json'), 'utf8');
    assert.doesNotMatch(notes + path, /aaa|bbb|password/);
  }
  assert.equal((await readdir(cache)).length, 2);
});

test('nothing is written outside the cache, whatever a URL is called', async (t) => {
  const { server, root, cache, options } = await setUp(t);
  const tricks = [
    '/../../../evil',
    '/..%2f..%2f..%2fevil',
    '/%2e%2e/%2e%2e/evil',
    '/a/..',
    '/',
    '/.bashrc',
    '/con.txt',
    '/x%00y',
    '/a%5c..%5c..%5cevil',
    `/${'l'.repeat(3000)}`,
    '/w.part',
    '/%ff%fe',
    '/a;b|c$(d)',
    '/download.json',
    '/part.json',
    '/.part.json',
    '/.download.json',
  ];
  for (const trick of tricks) {
    const { path } = await resolveWeights(`${server.origin}${trick}`, options);
    const inside = relative(cache, path).split(sep);
    assert.equal(inside.length, 2, path);
    assert.match(inside[0] ?? '', /^url-[0-9a-f]{16}$/);
    assert.match(inside[1] ?? '', /^\w[\w.-]{0,100}$/);
    assert.deepEqual(new Uint8Array(await readFile(path)), file, trick);
    assert.deepEqual(await resolveWeights(`${server.origin}${trick}`, options), { path, from: 'cache' }, trick);
  }
  assert.deepEqual(await readdir(root), ['a']);
  assert.deepEqual(await readdir(join(root, 'a', 'b')), ['cache']);
});

test('only https: and http: are fetched', async (t) => {
  const { options, root } = await setUp(t);
  for (const url of ['file:///etc/passwd', 'ftp://x/y', 'javascript://x', 'data://x']) {
    await assertFails(resolveWeights(url, options), /are fetched by https: or http:, received \w+:/);
  }
  await assertFails(resolveWeights('http://[/', options), /is no URL$/);
  assert.deepEqual(await readdir(root), []);
});

test('paths are taken as they are, names win, and typing errors are answered', async (t) => {
  const { options, root } = await setUp(t);
  const path = join(root, 'mine.safetensors');
  await writeFile(path, 'x');
  assert.deepEqual(await resolveWeights(path, options), { path, from: 'path' });
  assert.deepEqual(await resolveWeights(root, options), { path: root, from: 'path' });
  await assertFails(resolveWeights('tim/a1', options), /no weights 'tim\/a1'/, /^did you mean timm\/a1\?$/);
  await assertFails(resolveWeights('resnet18.a1', options), /no weights/, /did you mean timm\/resnet18\.a1_in1k\?/);
  await assertFails(
    resolveWeights('../nothing-of-the-kind', options),
    /no name, no file and no URL/,
    /torchvision, .*timm\/a1/,
  );
});

test('a mirror serves the same files under its own address, and its bytes are checked', async (t) => {
  const { server, cache, options } = await setUp(t);
  const env = { RESIDUAL_WEIGHTS_MIRROR: `${server.origin}/base/` };
  await assertFails(
    resolveWeights('torchvision', { ...options, env }),
    /^torchvision\/resnet18: 127\.0\.0\.1:\d+ announces 20,000 bytes, the published file has 46,830,571$/,
  );
  await assertFails(resolveWeights('timm/a2', { ...options, env }), /^timm\/resnet18\.a2_in1k: .* must have b61bd467…/);
  assert.deepEqual(server.log, [
    '/base/download.pytorch.org/models/resnet18-f37072fd.pth',
    '/base/github.com/huggingface/pytorch-image-models/releases/download/v0.1-rsb-weights/resnet18_a2_0-b61bd467.pth',
  ]);
  assert.deepEqual(await readdir(cache), []);
  const wrong = { RESIDUAL_WEIGHTS_MIRROR: 'file:///srv/mirror' };
  await assertFails(resolveWeights('timm/a2', { ...options, env: wrong }), /^RESIDUAL_WEIGHTS_MIRROR must be an https/);
});

test('proxies of the environment are used, and those that NO_PROXY leaves out are not', async (t) => {
  const { server, options } = await setUp(t);
  const proxy = await serveProxy();
  t.after(() => proxy.close());
  const url = (name: string) => `${server.origin}/${name}`;
  await resolveWeights(url('a'), { ...options, env: { HTTP_PROXY: proxy.origin } });
  assert.deepEqual(proxy.log, [`GET ${url('a')}`]);
  await resolveWeights(url('b'), { ...options, env: { http_proxy: proxy.origin } });
  assert.deepEqual(proxy.log.slice(1), [`GET ${url('b')}`]);
  await resolveWeights(url('c'), { ...options, env: { HTTP_PROXY: proxy.origin, NO_PROXY: '127.0.0.1' } });
  assert.equal(proxy.log.length, 2);
  assert.deepEqual(server.log, ['/a', '/b', '/c']);

  // What is encrypted goes through a tunnel; here it leads nowhere.
  const env = { HTTPS_PROXY: proxy.origin.replace('//', '//user:password@') };
  await assertFails(
    resolveWeights('https://no-such-host.invalid/w', { ...options, env }),
    /^https:\/\/no-such-host\.invalid\/w: (?!.*password).*HTTPS_PROXY is http:\/\/127\.0\.0\.1:\d+\)$/,
  );
  assert.deepEqual(proxy.log[2], 'CONNECT no-such-host.invalid:443');
  await proxy.close();
  await assertFails(
    resolveWeights(url('d'), { ...options, env: { HTTP_PROXY: proxy.origin } }),
    /no network: .*refused \(HTTP_PROXY is http:\/\/127\.0\.0\.1:\d+\)$/,
  );
});

test('a damaged file is fetched again; where that fails, both are said', async (t) => {
  const { server, options } = await setUp(t);
  const url = `${server.origin}/w.bin`;
  const { path } = await resolveWeights(url, options);
  await writeFile(path, 'short');
  assert.equal((await resolveWeights(url, options)).from, 'download');
  await writeFile(path, noise(20_000, 7));
  await server.close();
  await assertFails(
    resolveWeights(url, options),
    /no network: .*; the file in the cache is damaged: it has the SHA-256/,
  );
});

test('an empty folder in the place of a file, or one with something else, is no file', async (t) => {
  const { server, cache, options } = await setUp(t);
  const url = `${server.origin}/w.bin`;
  const { path } = await resolveWeights(url, options);
  for (const left of ['', 'other.txt']) {
    await rm(dirname(path), { recursive: true });
    await mkdir(dirname(path));
    if (left !== '') await writeFile(join(dirname(path), left), 'x');
    assert.deepEqual(await resolveWeights(url, options), { path, from: 'download' });
    assert.deepEqual(new Uint8Array(await readFile(path)), file);
  }
  assert.equal((await readdir(cache)).length, 1);
});

test('a redirect never leads from a safe connection to an open one', () => {
  const from = new URL('https://example.org/a/b');
  assert.equal(redirected(from, '../c').href, 'https://example.org/c');
  assert.equal(redirected(from, '//cdn.example.org/c').href, 'https://cdn.example.org/c');
  assert.throws(() => redirected(from, 'http://example.org/c'), /leads to a http: address, which is not followed$/);
  assert.equal(redirected(new URL('http://x.org'), 'https://y.org/').href, 'https://y.org/');
});

test('certificates that are not trusted are named as such', () => {
  const error = networkError(
    Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
    new URL('https://example.org/x'),
  );
  assert.ok(error instanceof WeightsError);
  assert.match(error.message, /^the certificate of example\.org is not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\)$/);
  assert.match(error.hint ?? '', /NODE_EXTRA_CA_CERTS/);
});

test('a file that was put into the cache by hand counts only if it is the published one', async (t) => {
  const { options, cache } = await setUp(t);
  const entry = findWeights('timm/a2');
  assert.ok(entry !== undefined);
  const folder = join(cache, 'timm--resnet18.a2_in1k');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'resnet18_a2_0-b61bd467.pth'), file);
  assert.equal(await weightsOnDisk(entry, options), undefined);
  const own = { ...entry, sha256: (await import('./testing/server.ts')).expectedOf(file).sha256.slice(0, 8) };
  assert.equal(await weightsOnDisk(own, options), join(folder, 'resnet18_a2_0-b61bd467.pth'));
});

test('a cache that cannot be written, and a disk that is full, are one line each', async (t) => {
  const { server, options, root, cache } = await setUp(t, (asked, answer) =>
    sendFile(asked, answer, file, { etag: '"a"' }),
  );
  await writeFile(join(root, 'file'), '');
  const url = `${server.origin}/w.bin`;
  await assertFails(
    resolveWeights(url, { ...options, cache: join(root, 'file', 'cache') }),
    /^cannot write .*file.cache: part of the path is a file, not a folder$/,
    /XDG_CACHE_HOME/,
  );
  if (process.platform === 'win32') return;
  // A limit on the size of files stands in for a full disk. The server must run meanwhile: another process downloads.
  const code = `
    import { resolveWeights } from ${JSON.stringify(import.meta.resolve('./resolve.ts'))};
    try { await resolveWeights(process.argv[1], { cache: process.argv[2], env: {} }); }
    catch (error) { console.log(error.name, error.message, '|', error.hint); }`;
  const { execFile } = await import('node:child_process');
  const stdout = await new Promise<string>((resolve, reject) => {
    const limited = 'ulimit -f 16 && exec "$0" "$@"';
    const args = ['-c', limited, process.execPath, '--input-type=module', '-e', code, url, cache];
    execFile('sh', args, { encoding: 'utf8' }, (error, out) => (error === null ? resolve(out) : reject(error)));
  });
  assert.match(
    stdout,
    /^WeightsError .*cannot write .*w\.bin: the file would be larger than is allowed \| what has arrived/,
  );
  assert.match((await readdir(cache)).join(), /^url-[0-9a-f]{16}\.part$/, 'what has arrived is kept');
  await resolveWeights(url, options);
  assert.match(server.log.at(-1) ?? '', /^\/w\.bin bytes=\d+-$/);
});

test('two processes at once', async (t) => {
  const { server, cache } = await setUp(t, (asked, answer, count) =>
    sendFile(asked, answer, file, { etag: '"a"', ...(count < 2 ? { breakAfter: 7000 } : {}) }),
  );
  const code = `
    import { resolveWeights } from ${JSON.stringify(import.meta.resolve('./resolve.ts'))};
    const { path } = await resolveWeights(process.argv[1], { cache: process.argv[2], env: {}, backoff: 1 });
    console.log(path);`;
  const { execFile } = await import('node:child_process');
  const one = () =>
    new Promise<string>((resolve, reject) => {
      const args = ['--input-type=module', '-e', code, `${server.origin}/w.bin`, cache];
      execFile(process.execPath, args, { encoding: 'utf8' }, (error, out) => (error ? reject(error) : resolve(out)));
    });
  const paths = await Promise.all([one(), one()]);
  assert.equal(paths[0], paths[1]);
  assert.deepEqual(new Uint8Array(await readFile((paths[0] ?? '').trim())), file);
  assert.equal((await readdir(cache)).length, 1);
});

test('our own weights need no network, and their absence is said', async (t) => {
  const { options, root } = await setUp(t);
  const resolved = await resolveWeights('fashion-mnist/resnet18', options).catch((error: unknown) => error);
  if (resolved instanceof WeightsError) {
    assert.match(resolved.message, /its file weights\/fashion-mnist-resnet18\.safetensors is missing/);
  } else {
    assert.match(JSON.stringify(resolved), /"from":"package"/);
  }
  assert.deepEqual(await readdir(root), []);
});

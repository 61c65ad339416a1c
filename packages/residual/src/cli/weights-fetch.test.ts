/** `residual weights list` and `fetch`, as a user runs them: against a server on this machine, with a cache of their own. */

import assert from 'node:assert/strict';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { noise, sendFile, serve, type TestServer } from '../weights/node/testing/server.ts';
import { weightsEntries } from '../weights/registry/entries.ts';
import { columns, makeStyle } from './style.ts';
import { residual, temporaryFolder } from './testing.ts';
import { downloadLine, Pace } from './weights-download.ts';
import { listLines } from './weights-list.ts';

const file = noise(3_000_000);
const style = makeStyle(false);
let folder = '';
let server: TestServer;

before(async () => {
  folder = await temporaryFolder();
  process.env.XDG_CACHE_HOME = join(folder, 'cache'); // for the commands that the tests run
  server = await serve((asked, answer) => {
    if (asked.url !== '/slow.bin' || asked.headers.range !== undefined) {
      sendFile(asked, answer, file, { etag: '"a"' });
      return;
    }
    answer.writeHead(200, { 'content-length': file.length, etag: '"a"' });
    answer.write(file.subarray(0, 1_000_000)); // and then nothing
  });
});

after(async () => {
  delete process.env.XDG_CACHE_HOME;
  await server.close();
  await rm(folder, { recursive: true });
});

test('list shows every entry, and which are here', async () => {
  const { code, stdout } = await residual(['weights', 'list']);
  assert.equal(code, 0);
  for (const { name } of weightsEntries) assert.ok(stdout.includes(name));
  assert.match(stdout, /^timm\/resnet18\.a1_in1k +timm\/a1 +resnet18 +44\.6 MiB +71\.5 +Apache-2\.0$/m);
  const json = await residual(['weights', 'list', '--json']);
  const rows = JSON.parse(json.stdout) as { name: string; path: string | null }[];
  assert.deepEqual(
    rows.map(({ name }) => name),
    weightsEntries.map(({ name }) => name),
  );
  assert.ok(rows.every(({ name, path }) => path === null || name.startsWith('fashion-mnist')));
  const here = weightsEntries.map(({ name }) => (name === 'timm/resnet18.a1_in1k' ? '/x' : undefined));
  assert.match(listLines(weightsEntries, here, style).join('\n'), /^timm\/resnet18\.a1_in1k .* yes$/m);
  for (const line of listLines(weightsEntries, here, style)) assert.ok(columns(line) <= 100, line);
});

test('fetch prints the path, alone, and needs the server only once', async () => {
  const url = `${server.origin}/w.bin`;
  const first = await residual(['weights', 'fetch', url]);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stderr, /w\.bin: downloaded; no checksum of it is known, 2\.9 MiB\n$/);
  const path = first.stdout.trimEnd();
  assert.ok(path.startsWith(join(folder, 'cache', 'residual', 'weights')));
  assert.deepEqual(new Uint8Array(await readFile(path)), file);
  const asked = server.log.length;
  const again = await residual(['weights', 'fetch', url, '--json']);
  assert.deepEqual(JSON.parse(again.stdout), { name: null, path, from: 'cache', size: 3_000_000, entry: null });
  assert.equal(server.log.length, asked);
});

test('Ctrl-C keeps what has arrived, says how to go on, and that goes on', async () => {
  const url = `${server.origin}/slow.bin`;
  let signalled = false;
  const stopped = await residual(['weights', 'fetch', url], {
    onStderr: (text) => {
      if (signalled || !/MiB/.test(text)) return undefined;
      signalled = true;
      return 'SIGINT';
    },
  });
  assert.equal(stopped.code, 130, stopped.stderr);
  assert.match(
    stopped.stderr,
    /stopped: .* are kept; go on with: residual weights fetch http:\/\/127\.0\.0\.1:\d+\/slow\.bin\n$/,
  );
  assert.equal(stopped.stdout, '');
  const resumed = await residual(['weights', 'fetch', url]);
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.deepEqual(new Uint8Array(await readFile(resumed.stdout.trimEnd())), file);
  const names = await readdir(join(folder, 'cache', 'residual', 'weights'));
  assert.ok(
    names.every((name) => /^url-[0-9a-f]{16}$/.test(name)),
    names.join(),
  );
});

test('mistakes and failures are one line and a hint', async () => {
  const fails = async (args: readonly string[], code: number, text: RegExp) => {
    const ended = await residual(['weights', ...args]);
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr, text);
    assert.doesNotMatch(ended.stderr, /^ +at /m);
  };
  await fails(['fetch'], 2, /^error: residual weights fetch needs a NAME or a URL\n.*weights list/);
  await fails(['fetch', 'timm/b7'], 1, /^error: there are no weights 'timm\/b7'.*\ndid you mean timm\/a1\?\n$/);
  await fails(['fetsh', 'x'], 2, /did you mean residual weights fetch\?/);
  await fails(['list', 'x'], 2, /takes no argument 'x'/);
});

test('the progress line keeps to its width, and loses the least important first', () => {
  const at = { received: 12_900_000, total: 46_807_446 };
  const wide = downloadLine('timm/a1', at, 3_250_000, 79, style);
  assert.match(wide, /^timm\/a1 {2}━+╸?─+ {2}12\.3 MiB of 44\.6 MiB {2}3\.1 MiB\/s {2}0:10 left$/);
  for (let width = 20; width < 100; width++) {
    assert.ok(columns(downloadLine('timm/resnet18.a1_in1k', at, 3_250_000, width, style)) <= width, `${width}`);
  }
  assert.match(downloadLine('x', { received: 5000, total: undefined }, 0, 79, style), /^x {2}4\.9 KiB$/);
  const pace = new Pace();
  assert.equal(pace.at(0, 10), 0);
  assert.equal(pace.at(1000, 11), 1000);
  assert.equal(pace.at(2000, 12), 1000);
  assert.equal(pace.at(0, 13), 0, 'begun anew');
});

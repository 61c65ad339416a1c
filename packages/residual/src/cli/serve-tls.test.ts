/** `residual serve` over HTTPS: the real server with a certificate of its own, and files that cannot be one. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import { resnet18 } from '../models/resnet.ts';
import { saveModel } from '../models/saved-model.ts';
import { residual, temporaryFolder } from './testing.ts';

const fixtures = join(import.meta.dirname, 'fixtures', 'tls');
const [cert, key] = [join(fixtures, 'cert.pem'), join(fixtures, 'key.pem')];
const picture = join(import.meta.dirname, '..', 'data', 'node', 'fixtures', 'picture.png');
let folder = '';
let run = '';

before(async () => {
  folder = await temporaryFolder();
  run = join(folder, 'run');
  const model = resnet18({ inputShape: [8, 8, 3], classes: 3, width: 2, seed: 1 });
  const preprocessing = { inputShape: [8, 8, 3], resize: 'cover', mean: [0.5, 0.5, 0.5], std: [1, 1, 1] } as const;
  await saveModel(
    model,
    { format: 'residual/1', architecture: 'resnet18', classes: ['a', 'b', 'c'], preprocessing },
    run,
  );
  model.dispose();
});

after(() => rm(folder, { recursive: true }));

const options = ['--backend', 'cpu', '--port', '0', '--linger', '0', '--log-level', 'silent'];

/** One request by a client that trusts `ca` alone. */
function ask(url: URL, ca: Buffer | undefined, body: Buffer): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const trusted = ca === undefined ? {} : { ca };
    const asked = request(url, { ...trusted, method: 'POST', headers: { 'content-type': 'image/png' } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (data) => {
        text += data;
      });
      answer.on('end', () => resolve({ status: answer.statusCode, text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

test('a client that trusts the certificate is answered, others and plain HTTP are not', async (t) => {
  const words = ['serve', run, ...options, '--tls-cert', cert, '--tls-key', key];
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  for await (const data of child.stderr) {
    said += data;
    if (/ at \S+/.test(said)) break;
  }
  const [, address = ''] = / at (\S+)/.exec(said) ?? [];
  assert.match(address, /^https:\/\/127\.0\.0\.1:\d+$/, said);
  const url = new URL('/v1/classify', address);
  const bytes = await readFile(picture);
  const { status, text } = await ask(url, await readFile(cert), bytes);
  assert.equal(status, 200, text);
  const { classes } = JSON.parse(text) as { classes: { name: string; probability: number }[] };
  assert.deepEqual(classes.map(({ name }) => name).sort(), ['a', 'b', 'c']);
  const sum = classes.reduce((total, { probability }) => total + probability, 0);
  assert.ok(Math.abs(sum - 1) < 1e-5, `${sum}`);
  await assert.rejects(ask(url, undefined, bytes), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  await assert.rejects(fetch(`http://${url.host}/v2/health/ready`));
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('files that cannot be are one line, and no server starts', async () => {
  const other = join(folder, 'other.pem');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(other, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const locked = join(folder, 'locked.pem');
  const cipher = { cipher: 'aes-256-cbc', passphrase: 'x' } as const;
  await writeFile(locked, privateKey.export({ type: 'pkcs8', format: 'pem', ...cipher }));
  const missing = join(folder, 'missing.pem');
  for (const [files, message] of [
    [['--tls-cert', cert, '--tls-key', missing], /^error: \S+missing\.pem: no such file or folder$/m],
    [['--tls-cert', cert, '--tls-key', cert], /cert\.pem: holds no private key \(PEM\) that needs no passphrase/],
    [['--tls-cert', cert, '--tls-key', locked], /locked\.pem: holds no private key \(PEM\) that needs no passphrase/],
    [['--tls-cert', key, '--tls-key', key], /key\.pem: holds no certificate \(PEM\)/],
    [['--tls-cert', cert, '--tls-key', other], /other\.pem: is not the key of the certificate in \S+cert\.pem/],
    [['--tls-cert', cert], /--tls-key is missing: HTTPS needs both/],
  ] as const) {
    const { code, stdout, stderr } = await residual(['serve', run, ...options, ...files]);
    assert.notEqual(code, 0);
    assert.notEqual(code, null);
    assert.equal(stdout, '');
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /^ +at |serving/m);
    const [first = ''] = stderr.trim().split('\n');
    assert.match(first, message);
  }
});

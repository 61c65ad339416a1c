/** `residual serve` as users run it: a run's answers are those of `residual predict` in every protocol, a new version takes
 *  over, SIGTERM ends it; mistakes are one line. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import { connect } from '../client/index.ts';
import { decodeImage } from '../data/node/decode.ts';
import { inferenceGraph } from '../export/graph/from-model.ts';
import { writeOnnx } from '../export/onnx/write.ts';
import { resnet18 } from '../models/resnet.ts';
import { saveModel } from '../models/saved-model.ts';
import { loadClassifier } from './load-classifier.ts';
import { predictFiles } from './predict-files.ts';
import { serve as serveHere } from './serve-run.ts';
import { temporaryFolder } from './testing.ts';

const picture = join(import.meta.dirname, '..', 'data', 'node', 'fixtures', 'picture.png');
let folder = '';
let run = '';
let exported = '';

const info = {
  format: 'residual/1',
  architecture: 'resnet18',
  classes: ['a', 'b', 'c'],
  preprocessing: {
    inputShape: [8, 8, 3],
    resize: 'cover',
    crop: 0.9,
    mean: [0.5, 0.4, 0.3],
    std: [0.2, 0.3, 0.25],
  },
} as const;

before(async () => {
  folder = await temporaryFolder();
  for (const seed of [1, 2]) {
    const model = resnet18({ inputShape: [8, 8, 3], classes: 3, width: 2, seed });
    await saveModel(model, info, join(folder, `run-${seed}`));
    if (seed === 1) await writeFile(join(folder, 'tiny.onnx'), writeOnnx(await inferenceGraph(model, info), {}));
    model.dispose();
  }
  [run, exported] = [join(folder, 'run-1'), join(folder, 'tiny.onnx')];
});

after(() => rm(folder, { recursive: true }));

interface Started {
  readonly url: string;
  readonly child: ChildProcess;
}

async function serve(...args: string[]): Promise<Started> {
  const main = join(import.meta.dirname, 'main.ts');
  const own = [
    'serve',
    '--backend',
    'cpu',
    '--port',
    '0',
    '--max-batch',
    '2',
    '--linger',
    '0',
    '--log-level',
    'silent',
  ];
  const child = spawn(process.execPath, [main, ...own, ...args], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  for await (const data of child.stderr) {
    text += data;
    const [, url] = / at (http:\S+)/.exec(text) ?? [];
    if (url !== undefined) return { url, child };
  }
  throw new Error(text);
}

/** What `residual predict` says: by the same two functions. */
async function predicted(path: string): Promise<number[]> {
  const { model, info, dispose } = await loadClassifier(path);
  const [result] = await predictFiles(model, info, [picture]);
  dispose();
  assert.ok(result && 'probabilities' in result);
  return Array.from(result.probabilities);
}

test('every protocol and the client answer as predict does; a new version takes over; SIGTERM ends it', async (t) => {
  const versions = join(folder, 'versions');
  await cp(run, join(versions, '1'), { recursive: true });
  const { url, child } = await serve(`net=${versions}`, exported, '--reload', '0.1');
  t.after(() => child.kill('SIGKILL'));
  const bytes = await readFile(picture);
  const post = async (path: string, body: unknown) =>
    (await fetch(url + path, { method: 'POST', body: JSON.stringify(body) })).json() as Promise<never>;
  const b64 = bytes.toString('base64');
  const pixels = await decodeImage(picture, { size: 8, crop: 0.9 });
  const normalised = Array.from(
    pixels,
    (byte, i) => (byte / 255 - (info.preprocessing.mean[i % 3] ?? 0)) / (info.preprocessing.std[i % 3] ?? 1),
  );
  const nested = Array.from({ length: 8 }, (_, y) =>
    Array.from({ length: 8 }, (_, x) => Array.from(pixels.subarray(24 * y + 3 * x, 24 * y + 3 * x + 3))),
  );
  const client = connect(url);
  for (const [name, path] of [
    ['net', run],
    ['tiny', exported],
  ] as const) {
    const expected = await predicted(path);
    const infer = async (input: object): Promise<number[]> => {
      const answer = await post(`/v2/models/${name}/infer`, { inputs: [input] });
      return (answer as { outputs: { data: number[] }[] }).outputs[0]?.data ?? [];
    };
    const predict = async (instance: unknown): Promise<number[]> =>
      ((await post(`/v1/models/${name}:predict`, { instances: [instance] })) as { predictions: number[][] })
        .predictions[0] ?? [];
    const { classes } = await client.classify(bytes, { model: name });
    const answers = {
      client: classes.toSorted((x, y) => x.name.localeCompare(y.name)).map(({ probability }) => probability),
      'TensorFlow Serving, file': await predict({ b64 }),
      'TensorFlow Serving, pixels': await predict(nested),
      'Open Inference, file': await infer({ name: 'image', shape: [1], datatype: 'BYTES', data: [b64] }),
      'Open Inference, pixels': await infer({
        name: 'image',
        shape: [1, 8, 8, 3],
        datatype: 'UINT8',
        data: Array.from(pixels),
      }),
      'Open Inference, normalised': await infer({
        name: 'normalised',
        shape: [1, 8, 8, 3],
        datatype: 'FP32',
        data: normalised,
      }),
    };
    for (const [how, answer] of Object.entries(answers)) {
      assert.equal(answer.length, 3, how);
      answer.forEach((value, k) => {
        assert.ok(
          Math.abs(value - (expected[k] ?? Number.NaN)) < 1e-6,
          `${name}, ${how}: ${answer}, predict says ${expected}`,
        );
      });
    }
  }
  const { heatmap, class: about, classes } = await client.explain(bytes, { model: 'net', top: 1 });
  assert.equal(about, classes[0]?.name);
  assert.equal(heatmap.values.length, heatmap.width * heatmap.height);
  assert.ok(heatmap.values.every((value) => value >= 0 && value <= 1));
  await assert.rejects(client.explain(bytes, { model: 'tiny' }), /an exported file has no gradients/);
  await assert.rejects(
    client.explain(bytes, { class: 'd' }),
    /class: must be one of the model's 3 \(a, b, c\), received "d"/,
  );
  const page = await fetch(url);
  assert.match(page.headers.get('content-security-policy') ?? '', /connect-src 'self'/);
  const [, script = ''] = /src="([^"]+\.js)"/.exec(await page.text()) ?? [];
  assert.equal((await fetch(new URL(script, url))).status, 200);

  const [first] = await client.models();
  assert.deepEqual([first?.name, first?.version, first?.explains], ['net', 1, true]);
  await cp(join(folder, 'run-2'), join(folder, 'aside'), { recursive: true });
  await rename(join(folder, 'aside'), join(versions, '2'));
  const before = await client.classify(bytes);
  let now = before;
  while (now.version === 1) now = await client.classify(bytes);
  assert.notDeepEqual(now.classes, before.classes);
  assert.deepEqual((await client.classify(bytes, { version: 1 })).classes, before.classes);

  const asked = Array.from({ length: 10 }, () => client.classify(bytes));
  await asked[0];
  child.kill('SIGTERM');
  await Promise.allSettled(asked);
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
  assert.equal(code, 0);
});

test('mistakes', async () => {
  await mkdir(join(folder, 'empty'), { recursive: true });
  const none = join(folder, 'none.txt');
  await writeFile(none, '# nothing\n');
  const missing = join(folder, 'x.pem');
  const cases: readonly (readonly [readonly string[], Parameters<typeof serveHere>[1], RegExp])[] = [
    [['nowhere'], {}, /there is no run nowhere/],
    [[join(folder, 'empty')], {}, /is no saved model/],
    [[run, `x=${run}`, `x=${exported}`], {}, /two models are named x/],
    [[`a b=${run}`], {}, /name holds letters, digits.*received 'a b'/],
    [[run], { 'token-file': none }, /none\.txt: holds no token/],
    [[run], { 'tls-cert': missing }, /--tls-key is missing/],
    [[run], { 'tls-cert': missing, 'tls-key': missing }, /no such file.*x\.pem/],
    [[run], { host: '203.0.113.7', port: 1 }, /cannot listen at 203\.0\.113\.7:1: this machine has no such address/],
  ];
  for (const [models, values, message] of cases) {
    await assert.rejects(
      serveHere(models, { backend: 'cpu', 'max-batch': 1, 'log-level': 'silent', ...values }),
      message,
    );
  }
});

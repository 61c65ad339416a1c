/** The routes without a network: every mistake is one clear line in the protocol's form, and nothing gets past the bounds. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { connect } from '../client/index.ts';
import type { Classification } from '../client/types.ts';
import type { InferenceServer } from './server.ts';
import { brightness, fakeServer, greyPng, until } from './testing.ts';

const json = { 'content-type': 'application/json' };
const png = { 'content-type': 'image/png' };
const pixels = (value: number) =>
  Array.from({ length: 4 }, () => Array.from({ length: 4 }, () => [value, value, value]));
const tensor = (rest: object) => ({
  name: 'image',
  shape: [1, 4, 4, 3],
  datatype: 'UINT8',
  data: Array(48).fill(51),
  ...rest,
});

async function post(server: InferenceServer, url: string, payload: unknown, headers: Record<string, string> = json) {
  const body =
    payload instanceof Uint8Array
      ? Buffer.from(payload)
      : typeof payload === 'string'
        ? payload
        : JSON.stringify(payload);
  const response = await server.app.inject({ method: 'POST', url, headers, payload: body });
  return { status: response.statusCode, body: response.json(), headers: response.headers };
}

async function started(t: { after(fn: () => unknown): void }, ...rest: Parameters<typeof fakeServer>) {
  const server = await fakeServer(...rest);
  t.after(() => server.close());
  return server;
}

test('one picture, three protocols, many ways to send it', async (t) => {
  const server = await started(t, { m: brightness() });
  const file = await greyPng(51);
  const b64 = file.toString('base64');
  const predict = async (body: object) => (await post(server, '/v1/models/m:predict', body)).body;
  for (const body of [
    { instances: [{ b64 }] },
    { instances: [{ image: { b64 } }] },
    { instances: [pixels(51)] },
    { instances: [{ image: pixels(51) }], signature_name: 'serving_default' },
  ]) {
    assert.deepEqual(await predict(body), { predictions: [[0.8, 0.2]] });
  }
  for (const inputs of [[{ b64 }], { b64 }, { image: [{ b64 }] }, { image: [pixels(51)] }]) {
    assert.deepEqual(await predict({ inputs }), { outputs: [[0.8, 0.2]] });
  }
  assert.deepEqual(await predict({ instances: [pixels(0), { b64 }, pixels(255)] }), {
    predictions: [
      [1, 0],
      [0.8, 0.2],
      [0, 1],
    ],
  });
  const classified = await post(server, '/v1/models/m/versions/1:classify', { examples: [{ image: { b64 } }] });
  assert.deepEqual(classified.body, {
    results: [
      [
        ['dark', 0.8],
        ['bright', 0.2],
      ],
    ],
  });

  for (const input of [
    tensor({}),
    tensor({ data: [pixels(51)] }),
    tensor({ datatype: 'FP32' }),
    tensor({ shape: [1], datatype: 'BYTES', data: [b64] }),
    tensor({ shape: [1, 1], datatype: 'BYTES', data: [b64] }),
  ]) {
    const { body } = await post(server, '/v2/models/m/versions/1/infer', { id: 'a', inputs: [input] });
    assert.deepEqual(body, {
      model_name: 'm',
      model_version: '1',
      id: 'a',
      outputs: [
        { name: 'probabilities', datatype: 'FP32', shape: [1, 2], data: [0.8, 0.2] },
        { name: 'class', datatype: 'BYTES', shape: [1], data: ['dark'] },
      ],
    });
  }
  const outputs = [{ name: 'probabilities', parameters: { classification: 1 } }];
  const best = await post(server, '/v2/models/m/infer', { inputs: [tensor({})], outputs });
  assert.deepEqual(best.body.outputs[0].data, ['0.8:0:dark']);

  const expected = [
    { name: 'dark', probability: 0.8 },
    { name: 'bright', probability: 0.2 },
  ];
  for (const headers of [png, { 'content-type': 'application/octet-stream' }]) {
    const { body } = await post(server, '/v1/classify', file, headers);
    assert.deepEqual([body.model, body.version, body.classes], ['m', 1, expected]);
  }
  assert.deepEqual((await post(server, '/v1/classify?top=1', { image: b64 })).body.classes, expected.slice(0, 1));
  assert.deepEqual((await post(server, '/v1/models/m:classify', file, png)).body.classes, expected);
});

test('the binary extension of the Open Inference Protocol, there and back', async (t) => {
  const server = await started(t, { m: brightness() });
  const send = (input: object, raw: Uint8Array, binary: boolean) => {
    const parameters = { binary_data_output: binary };
    const { data: _, ...rest } = tensor({ parameters: { binary_data_size: raw.length }, ...input }) as {
      data?: unknown;
    };
    const head = Buffer.from(JSON.stringify({ inputs: [rest], parameters }));
    const headers = { 'content-type': 'application/octet-stream', 'inference-header-content-length': `${head.length}` };
    const payload = Buffer.concat([head, raw]);
    return server.app.inject({ method: 'POST', url: '/v2/models/m/infer', headers, payload });
  };
  const file = await greyPng(51);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(file.length);
  for (const [input, raw] of [
    [{}, new Uint8Array(48).fill(51)],
    [{ datatype: 'FP32' }, new Uint8Array(new Float32Array(48).fill(51).buffer)],
    [{ datatype: 'BYTES', shape: [1] }, Buffer.concat([length, file])],
  ] as const) {
    const plain = await send(input, raw, false);
    assert.deepEqual(plain.json().outputs[0].data, [0.8, 0.2]);
    const response = await send(input, raw, true);
    const end = Number(response.headers['inference-header-content-length']);
    const { outputs } = JSON.parse(response.rawPayload.subarray(0, end).toString());
    assert.deepEqual(outputs[0], {
      name: 'probabilities',
      datatype: 'FP32',
      shape: [1, 2],
      parameters: { binary_data_size: 8 },
    });
    assert.equal(response.rawPayload.readFloatLE(end + 4), Math.fround(0.2));
    assert.equal(response.rawPayload.subarray(end + 12).toString(), 'dark');
  }
  for (const [input, raw, message] of [
    [{}, new Uint8Array(47), /needs 48 values, received 47/],
    [{ parameters: { binary_data_size: 1e9 } }, new Uint8Array(48), /must be at most the 48 bytes that follow/],
    [{ parameters: { binary_data_size: 10 } }, new Uint8Array(48), /38 bytes after the JSON belong to no input/],
    [{ datatype: 'BYTES', shape: [1] }, new Uint8Array(8).fill(255), /an element of BYTES ends after the data/],
    [
      { datatype: 'FP32' },
      new Uint8Array(new Float32Array(48).fill(Number.NaN).buffer),
      /finite numbers, received NaN/,
    ],
  ] as const) {
    const response = await send(input, raw, true);
    assert.equal(response.statusCode, 400);
    assert.match(response.json().error, message);
  }
});

test('forms: one picture or several, each with its own outcome', async (t) => {
  const server = await started(t, { m: brightness() }, { limits: { queue: 3, maxBody: 20_000 } });
  const send = async (...files: readonly (readonly [string, Uint8Array | string])[]) => {
    const form = new FormData();
    for (const [name, bytes] of files) form.append('image', new Blob([bytes as Uint8Array<ArrayBuffer>]), name);
    const request = new Request('http://x/', { method: 'POST', body: form });
    const type = request.headers.get('content-type') ?? '';
    return post(server, '/v1/classify', new Uint8Array(await request.arrayBuffer()), { 'content-type': type });
  };
  const file = await greyPng(255);
  assert.equal((await send(['a.png', file])).body.classes[0].name, 'bright');
  const { body } = await send(['a.png', file], ['b.txt', 'no picture'], ['c.png', await greyPng(0)]);
  assert.deepEqual(
    (body as Classification).pictures.map((one) => [
      one.file,
      'classes' in one ? one.classes[0]?.name : undefined,
      'error' in one,
    ]),
    [
      ['a.png', 'bright', false],
      ['b.txt', undefined, true],
      ['c.png', 'dark', false],
    ],
  );
  const four = await send(...Array.from({ length: 4 }, () => ['a.png', file] as const));
  assert.deepEqual([four.status, four.body.error], [413, 'a form may hold 3 pictures at most']);
  assert.equal((await send()).status, 400);
  assert.equal((await send(['a', new Uint8Array(30_000)])).status, 413);
  const cut = await post(server, '/v1/classify', 'nonsense', { 'content-type': 'multipart/form-data; boundary=x' });
  assert.equal(cut.status, 400);
  assert.match(cut.body.error, /^the form/);
});

test('mistakes: a status and one line each', async (t) => {
  const server = await started(
    t,
    { m: brightness(), n: brightness() },
    { limits: { maxPixels: 10_000, maxBody: 50_000 } },
  );
  const large = await sharp({ create: { width: 200, height: 200, channels: 3, background: '#000' } })
    .png()
    .toBuffer();
  const jpeg = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#0a0' } })
    .jpeg()
    .toBuffer();
  const nan = `{"instances": [${JSON.stringify(pixels(1)).replace('1', 'NaN')}]}`;
  const cases: readonly (readonly [string, unknown, number, RegExp, Record<string, string>?])[] = [
    ['/v1/classify', '', 400, /the body must be a picture, it is empty/, png],
    ['/v1/classify', 'hello', 400, /not a JPEG, PNG, WebP/, png],
    ['/v1/classify', jpeg.subarray(0, jpeg.length / 2), 400, /damaged/, png],
    ['/v1/classify', large, 413, /may have 10000 pixels at most/, png],
    ['/v1/classify', new Uint8Array(60_000), 413, /at most, received 60000/, png],
    ['/v1/classify', 'hello', 415, /content-type: must be image/, { 'content-type': 'text/html' }],
    ['/v1/classify', jpeg, 415, /content-encoding: must be identity/, { ...png, 'content-encoding': 'gzip' }],
    ['/v1/classify?top=none', jpeg, 400, /top: must be a whole number of at least 1, received "none"/, png],
    ['/v1/classify?model=x', jpeg, 404, /there is no model 'x'; there are m, n/, png],
    ['/v1/classify?version=7', jpeg, 404, /model m has no version 7; it has 1/, png],
    ['/v1/models/x:predict', {}, 404, /there is no model 'x'; there are m, n/],
    ['/v1/models/m/versions/9:predict', {}, 404, /no version 9/],
    ['/v1/models/m/versions/two:predict', {}, 404, /a version is a number, received 'two'/],
    ['/v1/models/m:explain', jpeg, 404, /there is no POST/, png],
    ['/v1/models/m:predict', '{', 400, /the body must be JSON/],
    ['/v1/models/m:predict', '\xff\xfe', 400, /the body must be JSON/],
    ['/v1/models/m:predict', '[]', 400, /must be an object, received an array/],
    ['/v1/models/m:predict', {}, 400, /either 'instances' or 'inputs'/],
    ['/v1/models/m:predict', { instances: [], inputs: [] }, 400, /either/],
    ['/v1/models/m:predict', { instances: [] }, 400, /it is empty/],
    ['/v1/models/m:predict', { instances: [1] }, 400, /instances\[0\]: must be an object, received 1/],
    ['/v1/models/m:predict', { instances: [{ b64: '***' }] }, 400, /must be a picture's file in base64/],
    ['/v1/models/m:predict', { instances: [{ b64: 'aGVsbG8=' }] }, 400, /not a JPEG/],
    ['/v1/models/m:predict', { instances: [pixels(1).slice(1)] }, 400, /must be an array of 4 .*received 3 values/],
    ['/v1/models/m:predict', { instances: [pixels(256)] }, 400, /pixels are 0-255, received 256/],
    ['/v1/models/m:predict', { instances: [{ normalised: pixels(1) }] }, 400, /this model takes bytes/],
    ['/v1/models/m:predict', { instances: [{ picture: pixels(1) }] }, 400, /must be named image or normalised/],
    ['/v1/models/m:predict', { instances: [pixels(1)], signature_name: 's' }, 400, /signature_name: must be/],
    ['/v1/models/m:predict', { instances: [pixels(1), pixels(-1)] }, 400, /instances\[1\]\[0\]: pixels are/],
    ['/v1/models/m:predict', nan, 400, /the body must be JSON/],
    ['/v1/models/m:predict', { instances: '['.repeat(20_000) }, 400, /must be an array of pictures/],
    ['/v1/models/m:predict', `${'['.repeat(20_000)}${']'.repeat(20_000)}`, 400, /must be an object/],
    ['/v2/models/m/infer', {}, 400, /inputs: must be an array of tensors/],
    ['/v2/models/m/infer', { inputs: [] }, 400, /must hold one tensor, received 0/],
    ['/v2/models/m/infer', { inputs: [tensor({ shape: [1, 3, 4, 4] })] }, 400, /shape must be \[count, 4, 4, 3\]/],
    ['/v2/models/m/infer', { inputs: [tensor({ shape: [2, 4, 4, 3] })] }, 400, /needs 96 values, received 48/],
    ['/v2/models/m/infer', { inputs: [tensor({ shape: [1e9, 4, 4, 3] })] }, 413, /too many/],
    ['/v2/models/m/infer', { inputs: [tensor({ datatype: 'BOOL' })] }, 400, /datatype must be one of BYTES/],
    ['/v2/models/m/infer', { inputs: [tensor({ name: 'x' })] }, 400, /must be named image or normalised, received 'x'/],
    ['/v2/models/m/infer', { inputs: [tensor({ data: Array(48).fill(null) })] }, 400, /finite numbers, received null/],
    ['/v2/models/m/infer', { inputs: [tensor({})], outputs: [{ name: 'x' }] }, 400, /must be probabilities or class/],
    ['/nowhere', {}, 404, /there is no POST \/nowhere/],
  ];
  for (const [url, body, status, message, headers] of cases) {
    const answer = await post(server, url, body, headers);
    const what = `${url} ${JSON.stringify(answer.body)}`;
    assert.equal(answer.status, status, what);
    assert.deepEqual(Object.keys(answer.body), ['error'], what);
    assert.match(answer.body.error, message);
    assert.doesNotMatch(answer.body.error, /\n/);
  }
});

test('a fault of the engine tells no secrets, and ends in not being live', async (t) => {
  const classifier = brightness();
  const server = await started(t, { m: classifier });
  const failing = brightness({ fails: true });
  Object.assign(classifier, { classify: failing.classify });
  for (let i = 0; i < 3; i++) {
    const { status, body } = await post(server, '/v1/models/m:predict', { instances: [pixels(1)] });
    assert.equal(status, 500);
    assert.match(body.error, /^internal: a fault of the server/);
    assert.doesNotMatch(body.error, /secret/);
  }
  assert.equal((await server.app.inject('/health/live')).statusCode, 503);
  assert.equal((await server.app.inject('/v2/health/ready')).json().ready, false);
});

test('tokens: everything that costs or tells needs one, probes and documents do not', async (t) => {
  const server = await started(t, { m: brightness() }, { tokens: ['first', 'second'] });
  const file = await greyPng(0);
  for (const authorization of ['', 'Bearer', 'Bearer wrong', 'Bearer firs', 'Basic first']) {
    const { status, body, headers } = await post(server, '/v1/classify', file, { ...png, authorization });
    assert.equal(status, 401);
    assert.deepEqual(body, { error: 'authorization: a valid bearer token is needed' });
    assert.equal(headers['www-authenticate'], 'Bearer');
  }
  for (const token of ['first', 'second']) {
    assert.equal((await post(server, '/v1/classify', file, { ...png, authorization: `Bearer ${token}` })).status, 200);
  }
  for (const url of ['/v1/models', '/v2', '/metrics', '/v1/models/m', '/v2/models/m']) {
    assert.equal((await server.app.inject(url)).statusCode, 401, url);
  }
  for (const url of ['/health/live', '/health/ready', '/v2/health/live', '/docs', '/openapi.json', '/']) {
    assert.ok((await server.app.inject(url)).statusCode < 400, url);
  }
});

test('other origins are let in only when told', async (t) => {
  const origin = 'https://shop.example';
  const plain = await started(t, { m: brightness() });
  const open = await started(t, { m: brightness() }, { origins: [origin] });
  const allowed = async (server: InferenceServer, from: string) =>
    (await server.app.inject({ url: '/v1/models', headers: { origin: from } })).headers['access-control-allow-origin'];
  assert.equal(await allowed(plain, origin), undefined);
  assert.equal(await allowed(open, origin), origin);
  assert.notEqual(await allowed(open, 'https://evil.example'), 'https://evil.example');
});

test('what describes the server: metadata, OpenAPI, metrics, request ids', async (t) => {
  const server = await started(t, { m: brightness() });
  const get = async (url: string) => (await server.app.inject(url)).json();
  assert.deepEqual((await get('/v1/models')).models, [
    { name: 'm', version: 1, versions: [1], classes: ['dark', 'bright'], inputShape: [4, 4, 3], explains: false },
  ]);
  assert.equal((await get('/v1/models/m')).model_version_status[0].state, 'AVAILABLE');
  const { signature_def } = (await get('/v1/models/m/metadata')).metadata.signature_def;
  assert.deepEqual(
    signature_def.serving_default.inputs.image.tensor_shape.dim.map(({ size }: never) => size),
    ['-1', '4', '4', '3'],
  );
  assert.deepEqual((await get('/v2/models/m')).inputs, [{ name: 'image', datatype: 'UINT8', shape: [-1, 4, 4, 3] }]);
  assert.deepEqual(await get('/v2/models/m/ready'), { name: 'm', ready: true });
  assert.equal((await server.app.inject({ method: 'POST', url: '/v2/repository/index' })).json()[0].state, 'READY');

  const { paths } = await get('/openapi.json');
  for (const path of ['/v1/classify', '/v1/models/{name}:predict', '/v2/models/{name}/versions/{version}/infer']) {
    assert.ok(paths[path]?.post?.responses['503'], path);
  }
  const page = await server.app.inject('/docs/static/index.html');
  assert.doesNotMatch(page.body, /(src|href)="https?:/);
  assert.match(String((await server.app.inject('/docs/')).headers['content-security-policy']), /default-src 'self'/);

  await post(server, '/v1/models/m:predict', { instances: [pixels(1), pixels(2)] });
  const metrics = (await server.app.inject('/metrics')).body;
  assert.match(metrics, /residual_requests_total\{protocol="tf-serving",model="m",code="200"\} 1/);
  assert.match(metrics, /residual_pictures_total\{model="m",version="1"\} 2/);
  assert.match(metrics, /residual_batch_size_count\{model="m"\} [12]\n/);
  assert.match(metrics, /residual_queue_pictures 0\n/);
  assert.match(metrics, /residual_body_bytes 0\n/);
  const id = async (given: string) =>
    (await server.app.inject({ url: '/v2', headers: { 'x-request-id': given } })).headers['x-request-id'];
  assert.equal(await id('abc-1'), 'abc-1');
  assert.match(String(await id('a b"')), /^[0-9a-f-]{36}$/);
});

test('overload is 503 with a time to come back, and the client comes back', async (t) => {
  const classifier = brightness();
  const server = await started(t, { m: classifier }, { limits: { queue: 2, maxBatch: 1 } });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  const file = await greyPng(255);
  const go = classifier.hold();
  const ask = () => fetch(`${url}/v1/classify`, { method: 'POST', headers: png, body: file });
  const asked = Array.from({ length: 10 }, ask);
  await until(
    async () => /residual_requests_total\{[^}]*code="503"\} [4-9]/.test((await server.app.inject('/metrics')).body),
    'refused',
  );
  const waiting = connect(url, { retries: 3 }).classify(new Uint8Array(file));
  await until(
    async () => /code="503"\} ([7-9]|\d\d)/.test((await server.app.inject('/metrics')).body),
    'refused again',
  );
  go();
  const statuses = (await Promise.all(asked)).map((response) => {
    if (response.status === 503) assert.equal(response.headers.get('retry-after'), '1');
    return response.status;
  });
  assert.ok(
    statuses.every((status) => status === 200 || status === 503),
    `${statuses}`,
  );
  assert.equal((await waiting).classes[0]?.name, 'bright');
});

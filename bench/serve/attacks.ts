/** Requests of all kinds, good and bad, and what each deserves. Statuses are checked by the caller, answers here. */

import assert from 'node:assert/strict';
import { connect as connectSocket } from 'node:net';
import sharp from 'sharp';
import type { Expected } from './expected.ts';
import type { RunningServer } from './material.ts';

export interface Attack {
  readonly name: string;
  /** Statuses that are right; 0 for a closed connection. */
  readonly deserves: readonly number[];
  run(n: number): Promise<number>;
}

interface Target {
  readonly server: RunningServer;
  readonly token: string;
  readonly pictures: readonly Buffer[];
  readonly expected: Expected;
  /** The numbers of the networks behind `net` and `other`. */
  readonly network: number;
  readonly other: number;
}

export async function makeAttacks({ server, token, pictures, expected, network, other }: Target): Promise<Attack[]> {
  const authorization = `Bearer ${token}`;
  const place = (n: number) => n % pictures.length;
  const picture = (n: number) => pictures[place(n)] as Buffer;
  const background = '#345';
  const wide = { create: { width: 8000, height: 6500, channels: 3, background } } as const;
  const bomb = await sharp(wide).png().toBuffer();
  const large = await sharp(wide).jpeg().toBuffer();
  const zeros = Array.from({ length: 8 }, () => Array.from({ length: 8 }, () => [0, 0, 0]));

  const send = async (
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
    check?: (answer: never) => void,
  ) => {
    const raw = body instanceof Uint8Array || typeof body === 'string';
    const response = await fetch(server.url + path, {
      method: 'POST',
      headers: { 'content-type': raw ? 'image/jpeg' : 'application/json', authorization, ...headers },
      body: (raw ? body : JSON.stringify(body)) as BodyInit,
    });
    const answer = await response.json();
    if (response.status === 200) check?.(answer as never);
    else {
      assert.deepEqual(Object.keys(answer as object), ['error']);
      assert.match((answer as { error: string }).error, /^[^\n]{5,500}$/);
      assert.equal(response.headers.has('retry-after'), response.status === 503);
    }
    return response.status;
  };
  const bad = (
    name: string,
    status: number,
    path: string,
    body: unknown,
    headers?: Record<string, string>,
  ): Attack => ({
    name,
    deserves: [status],
    run: () => send(path, body, headers),
  });
  const good = (name: string, run: (n: number) => Promise<number>): Attack => ({ name, deserves: [200], run });
  const tensor = (rest: object) => ({
    inputs: [{ name: 'image', shape: [1, 8, 8, 3], datatype: 'FP32', data: zeros, ...rest }],
  });
  const nan = Buffer.from(new Float32Array(192).fill(Number.NaN).buffer);
  const nanHead = Buffer.from(
    JSON.stringify(tensor({ data: undefined, parameters: { binary_data_size: nan.length } })),
  );
  const url = new URL(server.url);
  const bare = (text: string | Buffer, cut: boolean) => rawRequest(url, text, cut);
  const head = (length: number) =>
    `POST /v1/classify HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\ncontent-type: image/jpeg\r\ncontent-length: ${length}\r\n\r\n`;

  const some = [
    good('picture', (n) =>
      send('/v1/models/net:classify?top=3', picture(n), {}, ({ classes }: { classes: never }) =>
        expected.check(network, place(n), classes),
      ),
    ),
    good('picture of the other model', (n) =>
      send('/v1/classify?model=other&top=3', picture(n), {}, ({ classes }: { classes: never }) =>
        expected.check(other, place(n), classes),
      ),
    ),
    good('predict', (n) =>
      send(
        '/v1/models/net:predict',
        { instances: [{ b64: picture(n).toString('base64') }, { b64: picture(n + 1).toString('base64') }] },
        {},
        ({ predictions }: { predictions: number[][] }) => {
          for (const [i, row] of predictions.entries()) expected.checkRow(network, place(n + i), row);
        },
      ),
    ),
    good('infer', (n) =>
      send(
        '/v2/models/other/infer',
        tensor({ shape: [1], datatype: 'BYTES', data: [picture(n).toString('base64')] }),
        {},
        ({ outputs }: { outputs: { data: number[] }[] }) => expected.checkRow(other, place(n), outputs[0]?.data ?? []),
      ),
    ),
    bad('wrong type', 415, '/v1/classify', 'text', { 'content-type': 'text/plain' }),
    bad('no picture', 400, '/v1/classify', 'text'),
    {
      name: 'truncated picture',
      deserves: [400],
      run: (n: number) => send('/v1/classify', picture(n).subarray(0, 300 + (n % 300))),
    },
    bad('52 megapixels, PNG', 413, '/v1/classify', bomb),
    bad('52 megapixels, JPEG', 413, '/v1/classify', large),
    bad('wrong shape', 400, '/v2/models/net/infer', tensor({ shape: [1, 7, 8, 3] })),
    bad('wrong sizes of arrays', 400, '/v1/models/net:predict', { instances: [zeros.slice(1)] }),
    bad('NaN in JSON', 400, '/v1/models/net:predict', '{"instances": [[[NaN]]]}', {
      'content-type': 'application/json',
    }),
    bad('NaN in binary', 400, '/v2/models/net/infer', Buffer.concat([nanHead, nan]), {
      'inference-header-content-length': String(nanHead.length),
    }),
    bad('unknown model', 404, '/v1/models/nobody:predict', { instances: [zeros] }),
    bad('unknown version', 404, '/v1/models/net/versions/77:predict', { instances: [zeros] }),
    bad('bad token', 401, '/v1/classify', pictures[0], { authorization: 'Bearer guess' }),
    bad('no form', 400, '/v1/classify', 'x', { 'content-type': 'multipart/form-data; boundary=y' }),
    bad('no JSON', 400, '/v1/models/net:predict', '{"instances": ', { 'content-type': 'application/json' }),
    {
      name: 'cut off in its body',
      deserves: [0],
      run: (n: number) => bare(Buffer.concat([Buffer.from(head(5000)), picture(n).subarray(0, 200)]), true),
    },
    { name: 'cut off in its headers', deserves: [0], run: () => bare('POST /v1/classify HT', true) },
    { name: 'no HTTP', deserves: [400], run: () => bare('hello\r\n\r\n', false) },
    { name: 'says to be huge', deserves: [413], run: () => bare(head(1e9), false) },
  ];
  const rare: Attack[] = [
    {
      name: 'slow in its headers',
      deserves: [408],
      run: () => bare('POST /v1/classify HTTP/1.1\r\nhost: x\r\n', false),
    },
    { name: 'slow in its body', deserves: [408], run: () => bare(head(5000), false) },
    bad('20 megabytes', 413, '/v1/classify', Buffer.alloc(20e6, 1)),
  ];
  // A slow one holds its sender for seconds.
  return [...Array.from({ length: 10 }, () => some).flat(), ...rare];
}

/** Sends bytes as they are and reads the status; `cut` closes the connection at once. */
function rawRequest(url: URL, bytes: string | Buffer, cut: boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(Number(url.port), url.hostname);
    let received = '';
    socket.on('connect', () => {
      socket.write(bytes);
      if (cut) setTimeout(() => socket.destroy(), 5);
    });
    socket.on('data', (data) => {
      received += data;
      const [, status, type] = /^HTTP\/1\.1 (\d+)[\s\S]*?\r\n\r\n(\{"error":)?/.exec(received) ?? [];
      if (status === undefined || type === undefined) return;
      resolve(Number(status));
      socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(0));
  });
}

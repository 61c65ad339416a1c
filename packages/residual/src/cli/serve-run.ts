/** The work of `residual serve`: names for the models, a server for them, and its orderly end. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { gradCam } from '../explain/grad-cam.ts';
import { predict } from '../models/inference.ts';
import type { Limits, ModelSource, OpenClassifier } from '../serve/index.ts';
import { createServer } from '../serve/index.ts';
import { startBackend } from './backend.ts';
import { CommandError, UsageError, type Values } from './command.ts';
import { loadClassifier } from './load-classifier.ts';
import { findRun } from './run-folders.ts';
import type { serveOptions } from './serve.ts';

type ServeValues = Values<typeof serveOptions>;

export async function serve(positionals: readonly string[], values: ServeValues): Promise<number> {
  const models = await modelSources(positionals);
  const tokens = await readTokens(values['token-file']);
  const tls = await readTls(values);
  const backend = await startBackend(values);
  const { host = '127.0.0.1', port = 8080, cors = [], grace = 30, linger = 1 } = values;
  const server = await createServer({
    models,
    open: openClassifier,
    limits: limitsOf(values),
    tokens,
    origins: cors,
    linger,
    gradCam,
    ...(values.keep !== undefined && { keep: values.keep }),
    ...(values.reload !== undefined && { reload: values.reload }),
    ...(tls && { tls }),
    logger: { level: values['log-level'] ?? 'info', base: null },
  });
  const address = await server.listen({ host, port }).catch(async (error: NodeJS.ErrnoException) => {
    await server.close();
    throw listenError(error, host, port);
  });
  const names = server.store.names.join(', ');
  server.app.log.info({ address, models: server.store.names, backend }, 'serving');
  process.stderr.write(`serving ${names} at ${address} (${backend})\n`);
  if (tokens.length === 0 && !/^(127\.|::1$|localhost$)/.test(host)) {
    process.stderr.write('anybody who reaches this address can ask: --token-file FILE asks for a token\n');
  }
  const signal = await stopSignal();
  server.app.log.info({ signal }, 'stopping: what was accepted is answered');
  const late = setTimeout(
    () => {
      server.app.log.error(`not everything was answered within ${grace} seconds`);
      process.exit(1);
    },
    (linger + grace) * 1000,
  ).unref();
  await server.close();
  clearTimeout(late);
  return 0;
}

/** What `residual predict` runs, for the server. */
const openClassifier: OpenClassifier = async (path) => {
  const { model, info, dispose } = await loadClassifier(path);
  const { classes, preprocessing } = info;
  if ('classify' in model) return { classes, preprocessing, range: model.range, classify: model.classify, dispose };
  const layers: LayersModel = model;
  const classify = (images: Float32Array, count: number) => predict(layers, images, { batchSize: count });
  return { classes, preprocessing, range: 'normalised', model: layers, classify, dispose };
};

/**
 * @throws UsageError for two models of one name, or a name that no address can hold
 * @throws CommandError for a run that is not there
 */
async function modelSources(positionals: readonly string[]): Promise<ModelSource[]> {
  const sources: ModelSource[] = [];
  for (const typed of positionals) {
    const [, given, rest] = /^([^=/\\]+)=(.+)$/.exec(typed) ?? [];
    const asked = existsSync(typed) ? typed : (rest ?? typed);
    const path = existsSync(asked) ? asked : await findRun(asked);
    const name = asked === typed ? nameOf(path) : (given ?? '');
    if (!/^[\w.-]+$/.test(name)) {
      throw new UsageError(
        `a model's name holds letters, digits, '.', '_' and '-' only, received '${name}'`,
        `name it: residual serve NAME=${asked}`,
      );
    }
    if (sources.some((one) => one.name === name)) {
      throw new UsageError(`two models are named ${name}`, `name one of them: residual serve NAME=${asked}`);
    }
    sources.push({ name, path });
  }
  return sources;
}

function nameOf(path: string): string {
  const whole = resolve(path);
  const file = basename(whole) === 'model.json' ? resolve(whole, '..') : whole;
  return ['.onnx', '.tflite'].includes(extname(file)) ? basename(file, extname(file)) : basename(file);
}

function limitsOf(values: ServeValues): Partial<Limits> {
  const limits = {
    maxBatch: values['max-batch'],
    maxWait: values['max-wait'],
    queue: values.queue,
    decoders: values.decoders,
    timeout: values.timeout,
    receiveTimeout: values['receive-timeout'],
    maxBody: values['max-body'] === undefined ? undefined : Math.round(values['max-body'] * 1e6),
    maxPixels: values['max-pixels'] === undefined ? undefined : Math.round(values['max-pixels'] * 1e6),
  };
  const given = Object.entries(limits).filter(([, value]) => value !== undefined);
  const { maxBody = 0 } = limits;
  return { ...Object.fromEntries(given), ...(maxBody > 256e6 && { maxBodies: maxBody }) };
}

/** From the file, or the environment, where a process list does not show them. */
async function readTokens(file: string | undefined): Promise<string[]> {
  const { RESIDUAL_TOKEN } = process.env;
  if (file === undefined) return RESIDUAL_TOKEN === undefined || RESIDUAL_TOKEN === '' ? [] : [RESIDUAL_TOKEN];
  const lines = (await readFile(file, 'utf8')).split('\n').map((line) => line.trim());
  const tokens = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (tokens.length === 0) throw new CommandError(`${file}: holds no token`, 'write one on each line');
  return tokens;
}

/** @throws UsageError, CommandError for one without the other, and files that hold something else or do not go together */
async function readTls({ 'tls-cert': certFile, 'tls-key': keyFile }: ServeValues) {
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    throw new UsageError(
      `--tls-${certFile === undefined ? 'cert' : 'key'} is missing: HTTPS needs both --tls-cert and --tls-key`,
    );
  }
  const [cert, key] = [await readFile(certFile), await readFile(keyFile)];
  const certificate = parsed(`${certFile}: holds no certificate (PEM)`, () => new X509Certificate(cert));
  const privateKey = parsed(`${keyFile}: holds no private key (PEM) that needs no passphrase`, () =>
    createPrivateKey(key),
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new CommandError(`${keyFile}: is not the key of the certificate in ${certFile}`);
  }
  return { cert, key };
}

function parsed<T>(otherwise: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    // What OpenSSL says of it (`DECODER routines::unsupported`) helps nobody.
    throw new CommandError(otherwise);
  }
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another program listens there',
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'there is no such host',
    EACCES: 'permission denied',
  };
  const reason = reasons[error.code ?? ''];
  return reason === undefined
    ? error
    : new CommandError(`cannot listen at ${host}:${port}: ${reason}`, 'choose with --host and --port');
}

/** The first of the two that end a server; the second ends it at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolveSignal) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        process.once(signal, () => process.exit(130));
        resolveSignal(signal);
      });
    }
  });
}

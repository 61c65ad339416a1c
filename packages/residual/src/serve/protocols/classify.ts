/** Our own protocol, for people and pages: a picture as the body, or some in a form; class names and probabilities back. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type {
  Classification,
  ClassifiedFile,
  ClassifiedPicture,
  ClassProbability,
  ModelList,
} from '../../client/types.ts';
import { badRequest, ServeError } from '../errors.ts';
import type { SentPicture } from '../picture.ts';
import type { Servable } from '../servable.ts';
import { classifyAll, classifyEach, type Outcome, type Services, signalOf } from '../work.ts';
import { docs } from './docs.ts';
import { readForm } from './form.ts';
import { fileFromBase64, objectOf, parseJson } from './values.ts';

export function classifyRoutes(app: FastifyInstance, services: Services): void {
  const { store } = services;
  app.post('/v1/classify', { schema: docs.classify, config: { protocol: 'classify' } }, (request, reply) =>
    classifyPlain(services, request, reply),
  );
  app.get(
    '/v1/models',
    { schema: docs.models, config: { protocol: 'classify' } },
    (): ModelList => ({
      models: store.names.flatMap((name) => {
        const [newest, ...older] = store.versions(name);
        if (!newest) return [];
        const { classes, preprocessing, model } = newest.classifier;
        return {
          name,
          version: newest.version,
          versions: [newest, ...older].map(({ version }) => version),
          classes,
          inputShape: preprocessing.inputShape,
          explains: model !== undefined,
        };
      }),
    }),
  );
}

/**
 * Answers a picture or a form.
 *
 * @param name of the model that the address names; otherwise the query or the form may name one
 */
export async function classifyPlain(
  services: Services,
  request: FastifyRequest,
  reply: FastifyReply,
  name?: string,
  version?: number,
): Promise<Classification | ClassifiedPicture> {
  const signal = signalOf(request, reply, services);
  const start = performance.now();
  const sent = await readPictures(request, services, signal);
  const query = { ...sent.fields, ...(request.query as Readonly<Record<string, unknown>>) };
  const asked = version ?? wholeNumber(query.version, 'version');
  const { servable, release } = services.store.acquire(name ?? text(query.model, 'model'), asked);
  request.servable = servable;
  try {
    const top = Math.min(wholeNumber(query.top, 'top') ?? 5, servable.classifier.classes.length);
    const about = { model: servable.name, version: servable.version };
    const [only] = sent.files;
    if (only && sent.files.length === 1) {
      const [row] = await classifyAll(services, servable, [only.picture], signal);
      return { ...about, classes: ranked(row ?? [], servable, top), milliseconds: since(start) };
    }
    const pictures = sent.files.map(({ picture }) => picture);
    const outcomes = await classifyEach(services, servable, pictures, signal);
    const files = sent.files.map(({ file }, i) => ({ file, ...told(outcomes[i], servable, top) }) as ClassifiedFile);
    return { ...about, pictures: files, milliseconds: since(start) };
  } finally {
    release();
  }
}

interface SentFiles {
  readonly files: readonly { readonly file: string; readonly picture: SentPicture }[];
  readonly fields: Readonly<Record<string, string>>;
}

/** The pictures of a request: its body, those of its form, or base64 in JSON. */
export async function readPictures(
  request: FastifyRequest,
  services: Services,
  signal: AbortSignal,
): Promise<SentFiles> {
  const type = request.headers['content-type'] ?? '';
  if (request.isMultipart()) return readForm(request, services.limits, signal);
  if (/^application\/json/.test(type)) {
    const { image } = objectOf(parseJson(request.body), 'the body');
    return { files: [{ file: 'image', picture: fileFromBase64(image, 'image') }], fields: {} };
  }
  if (type !== '' && !/^(image\/|application\/octet-stream)/.test(type)) {
    throw new ServeError(
      415,
      `content-type: must be image/*, application/octet-stream, multipart/form-data or application/json, received ${JSON.stringify(type.slice(0, 60))}`,
    );
  }
  const { body } = request;
  if (!(body instanceof Uint8Array) || body.length === 0) throw badRequest('the body must be a picture, it is empty');
  return { files: [{ file: 'image', picture: { kind: 'file', bytes: body } }], fields: {} };
}

/** The `top` most probable classes, the first first. */
export function ranked(row: ArrayLike<number>, { classifier }: Servable, top: number): ClassProbability[] {
  return classifier.classes
    .map((name, k) => ({ name, probability: row[k] ?? Number.NaN }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, top);
}

function told(outcome: Outcome | undefined, servable: Servable, top: number): object {
  if (!outcome) throw new Error('internal: a picture has no outcome');
  if ('row' in outcome) return { classes: ranked(outcome.row, servable, top) };
  // What concerns the whole request is not one picture's trouble.
  if (!(outcome.error instanceof ServeError) || outcome.error.status >= 499) throw outcome.error;
  return { error: outcome.error.message };
}

export function since(start: number): number {
  return Math.round((performance.now() - start) * 100) / 100;
}

function wholeNumber(value: unknown, name: string): number | undefined {
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string' && /^[1-9]\d{0,8}$/.test(value)) return Number(value);
  throw badRequest(`${name}: must be a whole number of at least 1, received ${JSON.stringify(value)}`);
}

function text(value: unknown, name: string): string | undefined {
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw badRequest(`${name}: must be given once`);
}

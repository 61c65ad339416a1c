/** TensorFlow Serving's REST protocol, so that its clients work unchanged: predict, classify, status and metadata.
 *  https://www.tensorflow.org/tfx/serving/api_rest */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { badRequest, ServeError } from '../errors.ts';
import type { SentPicture } from '../picture.ts';
import type { Servable } from '../servable.ts';
import { classifyAll, type Services, signalOf } from '../work.ts';
import { classifyPlain } from './classify.ts';
import { docs } from './docs.ts';
import { type ModelParams, modelPaths, versionOf } from './paths.ts';
import {
  checkInput,
  fileFromBase64,
  type InputName,
  inputName,
  objectOf,
  parseJson,
  pictureFromNested,
  shown,
} from './values.ts';

const SIGNATURE = 'serving_default';

export function tfServingRoutes(app: FastifyInstance, services: Services): void {
  const { store } = services;
  for (const path of modelPaths('/v1/models')) {
    app.get(path, { schema: docs.status, config: { protocol: 'tf-serving' } }, (request) => {
      const { name, version } = versionOf(request.params as ModelParams);
      const found = store.status(name).filter((one) => version === undefined || one.version === version);
      if (found.length === 0) throw new ServeError(404, `model ${name} has no version ${version}`);
      return {
        model_version_status: found.map(({ version, state, message }) => ({
          version: String(version),
          state,
          status: { error_code: message === '' ? 'OK' : 'UNKNOWN', error_message: message },
        })),
      };
    });
    app.get(`${path}/metadata`, { schema: docs.metadata, config: { protocol: 'tf-serving' } }, (request) => {
      const { name, version } = versionOf(request.params as ModelParams);
      const { servable, release } = store.acquire(name, version);
      release();
      return metadataOf(servable);
    });
    app.post(`${path}::predict`, { schema: docs.predict, config: { protocol: 'tf-serving' } }, (request, reply) =>
      withModel(services, request, reply, async (servable, signal) => {
        const body = objectOf(parseJson(request.body), 'the body');
        const { pictures, columns } = picturesOf(body, servable);
        const rows = await classifyAll(services, servable, pictures, signal);
        const lists = rows.map((row) => Array.from(row));
        return columns ? { outputs: lists } : { predictions: lists };
      }),
    );
    app.post(
      `${path}::classify`,
      { schema: docs.classifyModel, config: { protocol: 'tf-serving' } },
      (request, reply) => {
        const { name, version } = versionOf(request.params as ModelParams);
        const type = request.headers['content-type'] ?? '';
        // A picture or a form is our own protocol at the model's address.
        if (/^(image|multipart)\/|^application\/octet-stream/.test(type)) {
          return classifyPlain(services, request, reply, name, version);
        }
        return withModel(services, request, reply, async (servable, signal) => {
          const { examples, signature_name } = objectOf(parseJson(request.body), 'the body');
          checkSignature(signature_name);
          const pictures = examplesOf(examples, servable);
          const rows = await classifyAll(services, servable, pictures, signal);
          const { classes } = servable.classifier;
          return { results: rows.map((row) => classes.map((label, k) => [label, row[k]])) };
        });
      },
    );
  }
}

/** Runs a handler with the version that the address names; it stays until the answer is made. */
export async function withModel<T>(
  services: Services,
  request: FastifyRequest,
  reply: FastifyReply,
  handle: (servable: Servable, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { name, version } = versionOf(request.params as ModelParams);
  const { servable, release } = services.store.acquire(name, version);
  request.servable = servable;
  try {
    return await handle(servable, signalOf(request, reply, services));
  } finally {
    release();
  }
}

/** The two forms of predict: a row for each picture, or a column for each input. */
function picturesOf(
  body: Readonly<Record<string, unknown>>,
  servable: Servable,
): { readonly pictures: readonly SentPicture[]; readonly columns: boolean } {
  checkSignature(body.signature_name);
  const { instances, inputs } = body;
  if ((instances === undefined) === (inputs === undefined)) {
    throw badRequest("the body: must have either 'instances' or 'inputs'");
  }
  if (instances !== undefined) {
    const list = filledList(instances, 'instances');
    return { pictures: list.map((value, i) => named(value, servable, `instances[${i}]`)), columns: false };
  }
  const [name, values, what] = columnOf(inputs);
  const list = isBase64(values) ? [values] : filledList(values, what);
  return { pictures: list.map((value, i) => picture(value, name, servable, `${what}[${i}]`)), columns: true };
}

function columnOf(inputs: unknown): readonly [InputName, unknown, string] {
  if (Array.isArray(inputs) || isBase64(inputs)) return ['image', inputs, 'inputs'];
  const [entry, ...others] = Object.entries(objectOf(inputs, 'inputs'));
  if (!entry || others.length > 0)
    throw badRequest(`inputs: must hold one input, received ${others.length + (entry ? 1 : 0)}`);
  return [inputName(entry[0], 'inputs'), entry[1], `inputs.${entry[0]}`];
}

/** A picture, or an object that names it. */
function named(value: unknown, servable: Servable, what: string): SentPicture {
  if (Array.isArray(value) || isBase64(value)) return picture(value, 'image', servable, what);
  const [entry, ...others] = Object.entries(objectOf(value, what));
  if (!entry || others.length > 0) throw badRequest(`${what}: must hold one input or b64`);
  return picture(entry[1], inputName(entry[0], what), servable, `${what}.${entry[0]}`);
}

function picture(value: unknown, name: InputName, servable: Servable, what: string): SentPicture {
  checkInput(name, servable.classifier);
  if (name === 'image' && isBase64(value)) return fileFromBase64(value.b64, `${what}.b64`);
  return pictureFromNested(value, servable.classifier.preprocessing.inputShape, name, what);
}

function examplesOf(examples: unknown, servable: Servable): SentPicture[] {
  return filledList(examples, 'examples').map((value, i) => {
    // A feature of an example is a list in tf.Example; of one value, it may stand alone.
    const features = objectOf(value, `examples[${i}]`);
    const image = Array.isArray(features.image) && isBase64(features.image[0]) ? features.image[0] : features.image;
    return named(image === undefined ? features : { image }, servable, `examples[${i}]`);
  });
}

function checkSignature(name: unknown): void {
  if (name === undefined || name === '' || name === SIGNATURE) return;
  throw badRequest(`signature_name: must be ${SIGNATURE}, received ${shown(name)}`);
}

function filledList(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw badRequest(`${what}: must be an array of pictures, received ${shown(value)}`);
  if (value.length === 0) throw badRequest(`${what}: must hold a picture at least, it is empty`);
  return value;
}

function isBase64(value: unknown): value is { readonly b64: unknown } {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'b64');
}

/** As the protocol prints a SavedModel's signatures. */
function metadataOf({ name, version, classifier }: Servable): object {
  const { preprocessing, classes } = classifier;
  const tensor = (dtype: string, sizes: readonly number[], tensorName: string) => ({
    dtype,
    tensor_shape: { dim: [-1, ...sizes].map((size) => ({ size: String(size), name: '' })), unknown_rank: false },
    name: tensorName,
  });
  return {
    model_spec: { name, signature_name: '', version: String(version) },
    metadata: {
      signature_def: {
        signature_def: {
          [SIGNATURE]: {
            inputs: { image: tensor('DT_FLOAT', preprocessing.inputShape, 'image:0') },
            outputs: { probabilities: tensor('DT_FLOAT', [classes.length], 'probabilities:0') },
            method_name: 'tensorflow/serving/predict',
          },
        },
      },
      // Beside what the protocol has: what a client needs to read the answers.
      residual: { classes, preprocessing },
    },
  };
}

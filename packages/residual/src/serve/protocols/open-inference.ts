/** The Open Inference Protocol, version 2 (KServe, Triton, MLServer): health, metadata and infer.
 *  https://github.com/kserve/open-inference-protocol */

import type { FastifyInstance } from 'fastify';
import { version as packageVersion } from '../about.ts';
import { badRequest, ServeError } from '../errors.ts';
import type { SentPicture } from '../picture.ts';
import type { Servable } from '../servable.ts';
import { classifyAll, type Services } from '../work.ts';
import { type GivenTensor, readInfer, writeInfer } from './binary-tensors.ts';
import { docs } from './docs.ts';
import { type ModelParams, modelPaths, versionOf } from './paths.ts';
import { withModel } from './tf-serving.ts';
import { checkInput, fileFromBase64, inputName, objectOf, picturesFromFlat, shown } from './values.ts';

/** Of pixels and of numbers. */
const NUMBERS = ['UINT8', 'UINT16', 'UINT32', 'INT8', 'INT16', 'INT32', 'FP32', 'FP64'] as const;
const OUTPUTS = ['probabilities', 'class'] as const;

export function openInferenceRoutes(app: FastifyInstance, services: Services): void {
  const { store } = services;
  const config = { protocol: 'open-inference' };
  app.get('/v2', { schema: docs.server, config }, () => ({
    name: 'residual',
    version: packageVersion,
    extensions: ['binary_tensor_data', 'classification', 'model_repository'],
  }));
  app.post('/v2/repository/index', { schema: docs.repository, config }, () =>
    store.names.flatMap((name) =>
      store.status(name).map(({ version, state, message }) => ({
        name,
        version: String(version),
        state: { AVAILABLE: 'READY', LOADING: 'LOADING', END: 'UNAVAILABLE' }[state],
        reason: message,
      })),
    ),
  );
  for (const path of modelPaths('/v2/models')) {
    app.get(path, { schema: docs.modelMetadata, config }, (request) => {
      const { name, version } = versionOf(request.params as ModelParams);
      const { servable, release } = store.acquire(name, version);
      release();
      return metadataOf(servable, version === undefined ? store.versions(name) : [servable]);
    });
    app.get(`${path}/ready`, { schema: docs.modelReady, config }, (request) => {
      const { name, version } = versionOf(request.params as ModelParams);
      store.acquire(name, version).release();
      return { name, ready: true };
    });
    app.post(`${path}/infer`, { schema: docs.infer, config }, (request, reply) =>
      withModel(services, request, reply, async (servable, signal) => {
        const { body, inputs } = readInfer(request.body, request.headers['inference-header-content-length']);
        const wanted = outputsOf(body);
        const rows = await classifyAll(services, servable, picturesOf(inputs, servable), signal);
        const { name, version } = servable;
        const { id } = body;
        const outputs = wanted.map((output) => ({ ...output, tensor: tensorOf(output, rows, servable) }));
        const head = { model_name: name, model_version: String(version), ...(typeof id === 'string' && { id }) };
        const { bytes, headerLength } = writeInfer(head, outputs);
        if (headerLength === undefined) return reply.type('application/json; charset=utf-8').send(bytes);
        reply.header('inference-header-content-length', headerLength);
        return reply.type('application/octet-stream').send(bytes);
      }),
    );
  }
}

interface WantedOutput {
  readonly name: (typeof OUTPUTS)[number];
  readonly binary: boolean;
  /** Triton's classification extension: the best so many classes as `probability:index:label`. */
  readonly classification: number | undefined;
}

function outputsOf(body: Readonly<Record<string, unknown>>): WantedOutput[] {
  const { outputs = OUTPUTS.map((name) => ({ name })), parameters = {} } = body;
  const { binary_data_output } = objectOf(parameters, 'parameters');
  if (!Array.isArray(outputs) || outputs.length === 0) throw badRequest(`outputs: must name ${OUTPUTS.join(' or ')}`);
  return outputs.map((output, i) => {
    const { name, parameters: own = {} } = objectOf(output, `outputs[${i}]`);
    const known = OUTPUTS.find((one) => one === name);
    if (!known) throw badRequest(`outputs[${i}].name: must be ${OUTPUTS.join(' or ')}, received ${shown(name)}`);
    const { binary_data = binary_data_output, classification } = objectOf(own, `outputs[${i}].parameters`);
    const most = classification === undefined ? undefined : Number(classification);
    if (most !== undefined && !(Number.isInteger(most) && most > 0 && known === 'probabilities')) {
      throw badRequest(`outputs[${i}].parameters.classification: must be a whole number, and of probabilities`);
    }
    return { name: known, binary: binary_data === true, classification: most };
  });
}

function picturesOf(inputs: readonly GivenTensor[], servable: Servable): SentPicture[] {
  const [input, ...others] = inputs;
  if (!input || others.length > 0) throw badRequest(`inputs: must hold one tensor, received ${inputs.length}`);
  const what = `inputs.${input.name}`;
  const name = inputName(input.name, 'inputs[0].name');
  checkInput(name, servable.classifier);
  const { shape, datatype, values } = input;
  const [count = 0, ...sizes] = shape;
  const { inputShape } = servable.classifier.preprocessing;
  if (datatype === 'BYTES') {
    if (name !== 'image') throw badRequest(`${what}: must be numbers, received BYTES`);
    if (count < 1 || (sizes.length > 0 && sizes.join() !== '1') || values.length !== count) {
      throw badRequest(
        `${what}: pictures' files have the shape [count] or [count, 1], received [${shape}] and ${values.length} elements`,
      );
    }
    return Array.from(values as ArrayLike<unknown>, (value, i) =>
      value instanceof Uint8Array ? { kind: 'file', bytes: value } : fileFromBase64(value, `${what}[${i}]`),
    );
  }
  if (!NUMBERS.some((one) => one === datatype)) {
    throw badRequest(`${what}: datatype must be one of BYTES, ${NUMBERS.join(', ')}; received ${shown(datatype)}`);
  }
  if (count < 1 || sizes.join() !== inputShape.join()) {
    throw badRequest(`${what}: shape must be [count, ${inputShape.join(', ')}], received [${shape.join(', ')}]`);
  }
  if (count > servableMost) throw new ServeError(413, `${what}: ${count} pictures are too many`);
  return picturesFromFlat(values, count, inputShape, name, what);
}

/** A shape is only a claim: it must not make arrays of any length. */
const servableMost = 65_536;

function tensorOf(
  { name, classification }: WantedOutput,
  rows: readonly ArrayLike<number>[],
  { classifier }: Servable,
) {
  const { classes } = classifier;
  const order = (row: ArrayLike<number>) => [...classes.keys()].sort((a, b) => (row[b] ?? 0) - (row[a] ?? 0));
  if (name === 'class') {
    return { datatype: 'BYTES', shape: [rows.length], values: rows.map((row) => classes[order(row)[0] ?? 0] ?? '') };
  }
  if (classification !== undefined) {
    const most = Math.min(classification, classes.length);
    const texts = rows.flatMap((row) =>
      order(row)
        .slice(0, most)
        .map((k) => `${row[k]}:${k}:${classes[k]}`),
    );
    return { datatype: 'BYTES', shape: [rows.length, most], values: texts };
  }
  return { datatype: 'FP32', shape: [rows.length, classes.length], values: rows.flatMap((row) => Array.from(row)) };
}

function metadataOf({ name, classifier }: Servable, versions: readonly Servable[]): object {
  const { classes, preprocessing } = classifier;
  return {
    name,
    versions: versions.map(({ version }) => String(version)),
    platform: 'residual_tfjs',
    inputs: [{ name: 'image', datatype: 'UINT8', shape: [-1, ...preprocessing.inputShape] }],
    outputs: [
      { name: 'probabilities', datatype: 'FP32', shape: [-1, classes.length] },
      { name: 'class', datatype: 'BYTES', shape: [-1] },
    ],
    parameters: { labels: classes, preprocessing },
  };
}

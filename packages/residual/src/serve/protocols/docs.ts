/** What the OpenAPI document says of each route. It describes only: each protocol checks its requests itself, in its own
 *  words, so that no validator stands between a client and a clear message. */

const picture = { type: 'string', format: 'binary', description: 'A JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP file' };
const error = {
  type: 'object',
  required: ['error'],
  properties: { error: { type: 'string', description: 'One line: what is wrong, and what would be right' } },
} as const;

const model = {
  type: 'object',
  properties: {
    name: { type: 'string', description: 'As GET /v1/models lists it' },
    version: { type: 'string', description: 'Default: the newest' },
  },
} as const;

const errors = {
  400: { description: 'A mistake in what was sent', ...error },
  401: { description: 'The bearer token is missing or wrong, where the server asks for one', ...error },
  404: { description: 'There is no such model or version', ...error },
  413: { description: 'Too many bytes, pixels or pictures', ...error },
  503: { description: 'The server is full or going down; Retry-After says when to try again', ...error },
} as const;

const answered = {
  model: { type: 'string' },
  version: { type: 'integer' },
  milliseconds: { type: 'number', description: 'From arrival to answer, on the server' },
};
const classes = {
  type: 'array',
  description: 'The most probable first',
  items: { type: 'object', properties: { name: { type: 'string' }, probability: { type: 'number' } } },
};
const query = {
  type: 'object',
  properties: {
    model: { type: 'string', description: 'Default: the first' },
    version: { type: 'integer', description: 'Default: the newest' },
    top: { type: 'integer', description: 'How many classes to tell', default: 5 },
  },
};
const pictures = {
  content: {
    'image/*': { schema: picture },
    'application/octet-stream': { schema: picture },
    'multipart/form-data': {
      schema: { type: 'object', properties: { image: { type: 'array', items: picture } } },
    },
    'application/json': {
      schema: { type: 'object', properties: { image: { type: 'string', description: 'The file in base64' } } },
    },
  },
};
const json = (properties: object, required: readonly string[] = []) => ({
  content: { 'application/json': { schema: { type: 'object', properties, required } } },
});

const own = ['Pictures'];
const serving = ['TensorFlow Serving'];
const v2 = ['Open Inference Protocol'];
const operate = ['Operation'];

/** A route's description, and what it answers. */
function route(tags: readonly string[], summary: string, rest: object = {}, ok: object = { type: 'object' }) {
  const { description, ...schema } = { description: 'Done', ...(ok as { description?: string }) };
  return { tags, summary, ...rest, response: { 200: { description, ...schema }, ...errors } };
}

const instance = {
  description: '{"b64": …} (a picture file), pixels 0-255 as nested arrays, or {"image": …} or {"normalised": …}',
};

export const docs = {
  classify: route(
    own,
    'Name what is in a picture, or in each of some',
    { querystring: query, body: pictures },
    {
      type: 'object',
      description: 'Of one picture `classes`, of several `pictures`',
      properties: {
        ...answered,
        classes,
        pictures: {
          type: 'array',
          items: { type: 'object', properties: { file: { type: 'string' }, classes, ...error.properties } },
        },
      },
    },
  ),
  classifyModel: route(
    [...own, ...serving],
    'The same for one model; with `examples`, as TensorFlow Serving classifies',
    {
      params: model,
      querystring: query,
      body: {
        content: {
          ...pictures.content,
          'application/json': {
            schema: { type: 'object', properties: { examples: { type: 'array', items: instance } } },
          },
        },
      },
    },
  ),
  explain: route(
    own,
    'Name what is in a picture, with a Grad-CAM map of why',
    {
      params: model,
      querystring: {
        type: 'object',
        properties: { top: { type: 'integer' }, class: { type: 'string', description: 'Default: the most probable' } },
      },
      body: pictures,
    },
    {
      type: 'object',
      properties: {
        ...answered,
        classes,
        class: { type: 'string' },
        heatmap: {
          type: 'object',
          properties: {
            width: { type: 'integer' },
            height: { type: 'integer' },
            values: { type: 'array', items: { type: 'number' } },
          },
        },
      },
    },
  ),
  models: route(own, 'The models, their versions and classes'),
  status: route(serving, "The state of a model's versions", { params: model }),
  metadata: route(serving, 'The signature of a model', { params: model }),
  predict: route(serving, 'Probabilities of pictures', {
    params: model,
    body: json({ signature_name: { type: 'string' }, instances: { type: 'array', items: instance }, inputs: instance }),
  }),
  server: route(v2, 'The server and what it extends the protocol by'),
  repository: route(v2, 'All models and versions with their states'),
  modelMetadata: route(v2, 'Inputs and outputs of a model', { params: model }),
  modelReady: route(v2, 'Whether a model can be asked', { params: model }),
  infer: route(v2, 'Probabilities of pictures', {
    params: model,
    body: {
      content: {
        'application/json': {
          schema: {
            type: 'object',
            required: ['inputs'],
            properties: {
              id: { type: 'string' },
              inputs: {
                type: 'array',
                description: 'One tensor: `image` (BYTES: files in base64; numbers: pixels 0-255) or `normalised`',
                items: {
                  type: 'object',
                  properties: {
                    name: { type: 'string' },
                    shape: { type: 'array', items: { type: 'integer' } },
                    datatype: { type: 'string' },
                    data: { type: 'array', items: {} },
                  },
                },
              },
              outputs: {
                type: 'array',
                items: { type: 'object', properties: { name: { enum: ['probabilities', 'class'] } } },
              },
            },
          },
        },
        'application/octet-stream': {
          schema: { type: 'string', format: 'binary', description: 'The binary tensor data extension' },
        },
      },
    },
  }),
  live: route(operate, 'Whether the process works'),
  ready: route(operate, 'Whether requests should be sent here'),
  metrics: route(operate, 'Prometheus metrics', {}, { type: 'string' }),
} as const;

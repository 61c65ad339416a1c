/** `residual serve`: its options and its help. The work is in `serve-run.ts`. */

import { defineCommand } from './command.ts';
import { machineOptions } from './options.ts';

export const serveOptions = {
  host: { kind: 'text', value: 'ADDRESS', help: 'where to listen; 0.0.0.0 for all', default: '127.0.0.1' },
  port: { kind: 'integer', value: 'N', min: 0, max: 65_535, help: '0 for any free one', default: 8080 },
  keep: { kind: 'integer', value: 'N', min: 1, max: 16, help: 'newest versions of a model served at once', default: 2 },
  reload: {
    kind: 'number',
    value: 'SECONDS',
    min: 0,
    max: 3600,
    help: 'between looks for new versions; 0 for never',
    default: 2,
  },
  'max-batch': {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 256,
    help: 'pictures computed together',
    default: 16,
    group: 'Load',
  },
  'max-wait': {
    kind: 'number',
    value: 'MS',
    min: 0,
    max: 1000,
    help: 'how long a free engine waits for pictures that are being decoded',
    default: 5,
    group: 'Load',
  },
  queue: {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 100_000,
    help: 'pictures that may wait; more are answered 503',
    default: 128,
    group: 'Load',
  },
  decoders: {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 4,
    help: 'pictures decoded side by side',
    default: 2,
    group: 'Load',
  },
  timeout: {
    kind: 'number',
    value: 'SECONDS',
    min: 0.1,
    max: 3600,
    help: 'from arrival to answer',
    default: 30,
    group: 'Load',
  },
  'receive-timeout': {
    kind: 'number',
    value: 'SECONDS',
    min: 0.1,
    max: 3600,
    help: 'that a client may take to send its request',
    default: 15,
    group: 'Load',
  },
  'max-body': {
    kind: 'number',
    value: 'MB',
    min: 0.001,
    max: 1024,
    help: 'size of one request',
    default: 16,
    group: 'Load',
  },
  'max-pixels': {
    kind: 'number',
    value: 'MP',
    min: 0.001,
    max: 268,
    help: 'million pixels that a picture may have',
    default: 40,
    group: 'Load',
  },
  'token-file': {
    kind: 'text',
    value: 'FILE',
    help: 'bearer tokens, one a line, of which each request needs one',
    default: 'RESIDUAL_TOKEN',
    group: 'Access',
  },
  'tls-cert': { kind: 'text', value: 'FILE', help: 'certificate chain (PEM), for HTTPS', group: 'Access' },
  'tls-key': { kind: 'text', value: 'FILE', help: 'its private key (PEM)', group: 'Access' },
  cors: { kind: 'text', value: 'ORIGIN', many: true, help: 'whose pages may ask; * for all', group: 'Access' },
  linger: {
    kind: 'number',
    value: 'SECONDS',
    min: 0,
    max: 600,
    help: 'that it still takes requests when told to stop, until balancers have noticed',
    default: 1,
    group: 'Machine',
  },
  grace: {
    kind: 'number',
    value: 'SECONDS',
    min: 0,
    max: 3600,
    help: 'for the last answers when told to stop',
    default: 30,
    group: 'Machine',
  },
  ...machineOptions,
  'log-level': {
    kind: 'choice',
    value: 'LEVEL',
    choices: ['debug', 'info', 'warn', 'error', 'silent'],
    help: 'JSON lines on standard output',
    default: 'info',
    group: 'Output',
  },
} as const;

export const serveCommand = defineCommand({
  name: 'serve',
  summary: 'put models behind an HTTP API',
  arguments: 'MODEL…',
  takes: [1, 64],
  about:
    "Serves models by TensorFlow Serving's REST protocol, the Open Inference Protocol v2, and plain pictures at POST " +
    '/v1/classify. MODEL is a run, an exported file, or a folder with versions of either in sub-folders 1, 2, …: a new ' +
    'one is loaded when it appears and takes over without a gap. NAME=MODEL gives it a name; the first model answers ' +
    'where none is named. Preprocessing comes with the model. / shows a page, /docs the API, /metrics what Prometheus ' +
    'reads, /health/live and /health/ready the state. SIGTERM answers what was accepted and ends.',
  options: serveOptions,
  examples: [
    ['residual serve runs/first', 'at http://127.0.0.1:8080'],
    ['residual serve pets=models/pets', 'models/pets/1, models/pets/2, …'],
    ['residual serve runs/first small=runs/first/export/model-int8.tflite', 'two models'],
    ['residual serve runs/first --host 0.0.0.0 --token-file tokens.txt', 'for others, with a token'],
  ],
  run: async (positionals, values) => (await import('./serve-run.ts')).serve(positionals, values),
});

/** Options that more than one command takes, described once.
 *  Commands spread these into their own. */

export const pixelOptions = {
  size: {
    kind: 'text',
    value: 'N|HxW',
    help: 'bring images to this size in pixels',
    default: 'as stored; 224 for a folder of pictures',
    group: 'Data',
  },
  channels: {
    kind: 'choice',
    value: 'N',
    choices: ['1', '3'],
    help: '1 for grey, 3 for colour',
    default: 'as stored',
    group: 'Data',
  },
} as const;

export const machineOptions = {
  threads: {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 64,
    help: 'threads of the backend; the results do not depend on it',
    default: 'all cores',
    group: 'Machine',
  },
  backend: {
    kind: 'choice',
    value: 'NAME',
    choices: ['jit', 'cpu'],
    help: 'jit compiles; cpu is stock TensorFlow.js, much slower',
    default: 'jit',
    group: 'Machine',
  },
} as const;

export const quietOption = { kind: 'flag', help: 'no progress, only the result', group: 'Output' } as const;

export const jsonOption = {
  kind: 'flag',
  help: 'print one JSON object to standard output, for machines',
  group: 'Output',
} as const;

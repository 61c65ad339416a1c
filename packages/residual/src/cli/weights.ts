/** `residual weights`: its options and its help. Each action has a file of its own: `weights-list.ts` … */

import { defineCommand } from './command.ts';
import { jsonOption } from './options.ts';

export const weightsOptions = {
  all: { kind: 'flag', help: 'with inspect: list every tensor, not the first and last' },
  half: { kind: 'flag', help: 'with convert: 16-bit floats, half the size' },
  json: jsonOption,
} as const;

export const weightsCommand = defineCommand({
  name: 'weights',
  summary: 'list, fetch, look into and write pretrained weights',
  arguments: 'list|fetch|inspect|convert [WHAT]',
  takes: [1, 3],
  about:
    'list shows the public weights that are known by name, and which of them are on this machine.\n' +
    'fetch downloads one by its name or URL, checks it, and prints where it lies; an interrupted download goes on when ' +
    'the command is repeated. Once fetched, weights need no network. They are kept in the cache of your system ' +
    '(XDG_CACHE_HOME); HTTP_PROXY, HTTPS_PROXY and NO_PROXY are honoured, and RESIDUAL_WEIGHTS_MIRROR=URL names a ' +
    'mirror, which has https://HOST/PATH at URL/HOST/PATH.\n' +
    'inspect lists the tensors of a file (.pth, .safetensors, .h5, .keras, .onnx, TF.js, TensorFlow) with their types and ' +
    'shapes, and says whose names they bear and which network they fit. It runs nothing that is in the file.\n' +
    "convert writes a run's weights as .safetensors, with torchvision's names, or as a Keras model in .h5.",
  options: weightsOptions,
  examples: [
    ['residual weights list', 'what there is'],
    ['residual weights fetch timm/a1', 'download and check a file, once'],
    ['residual weights inspect resnet18.pth', 'what is in a file, and which network it fits'],
    ['residual weights convert runs/first first.safetensors', 'for PyTorch and other tools'],
  ],
  run: async (positionals, values) => (await import('./weights-run.ts')).weights(positionals, values),
});

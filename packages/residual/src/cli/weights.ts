/** `residual weights`: its options and its help. Each action has a file of its own: `weights-inspect.ts` … */

import { defineCommand } from './command.ts';
import { jsonOption } from './options.ts';

export const weightsOptions = {
  all: { kind: 'flag', help: 'with inspect: list every tensor, not the first and last' },
  json: jsonOption,
} as const;

export const weightsCommand = defineCommand({
  name: 'weights',
  summary: 'look into a file of pretrained weights',
  arguments: 'inspect FILE',
  takes: [1, 2],
  about:
    'inspect lists the tensors of a file (.pth, .safetensors, .h5, .keras, .onnx, TF.js, TensorFlow) with their types and ' +
    'shapes, and says whose names they bear and which network they fit. It runs nothing that is in the file.',
  options: weightsOptions,
  examples: [['residual weights inspect resnet18.pth', 'what is in a file, and which network it fits']],
  run: async (positionals, values) => (await import('./weights-run.ts')).weights(positionals, values),
});

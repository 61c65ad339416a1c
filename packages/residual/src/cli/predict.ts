/** `residual predict`: its options and its help. The work is in `predict-run.ts`. */

import { defineCommand } from './command.ts';
import { jsonOption, machineOptions } from './options.ts';

export const predictOptions = {
  top: { kind: 'integer', value: 'N', min: 1, help: 'how many classes to print for each image', default: 5 },
  heatmap: {
    kind: 'text',
    value: 'DIR',
    help: 'write each picture here with a heat map over it: bright is what speaks for its class',
    group: 'Explanation',
  },
  class: {
    kind: 'text',
    value: 'NAME',
    help: 'the class that the heat maps explain',
    default: 'the most probable',
    group: 'Explanation',
  },
  ...machineOptions,
  json: jsonOption,
} as const;

export const predictCommand = defineCommand({
  name: 'predict',
  summary: 'name what is in pictures',
  arguments: 'RUN IMAGE…',
  takes: [2, Number.POSITIVE_INFINITY],
  about:
    'Prints the most probable classes of each image. Images may be JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP of any ' +
    'size: how they are prepared is stored with the model. An image that cannot be read is reported and the others ' +
    'are still predicted; the exit code is then 1. RUN may also be a file of residual export, which cannot explain ' +
    'itself by heat maps (Grad-CAM), though.',
  options: predictOptions,
  examples: [
    ['residual predict runs/first cat.jpg', 'one picture'],
    ['residual predict runs/first photos/*.jpg --top 1', 'many'],
    ['residual predict runs/first/export/model.onnx cat.jpg', 'an exported file'],
    ['residual predict runs/first cat.jpg --heatmap why/', 'why/cat.png shows where it looked'],
    ['residual predict runs/first cat.jpg --heatmap why/ --class dog', 'what speaks for a dog'],
    ['residual predict runs/first cat.jpg --json', 'all probabilities, for machines'],
  ],
  run: async (positionals, values) => (await import('./predict-run.ts')).predict(positionals, values),
});

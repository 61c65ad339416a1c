/** `residual export`: its options and its help. The work is in `export-run.ts`. */

import { formatNames } from '../export/names.ts';
import { quantizationProfiles } from '../export/onnx/placement.ts';
import { observerNames } from '../quantize/observers/names.ts';
import { defineCommand } from './command.ts';
import { jsonOption, machineOptions, quietOption } from './options.ts';

export const exportOptions = {
  format: {
    kind: 'text',
    value: 'FORMAT,…',
    help: `what to write: ${formatNames.join(', ')}`,
    default: formatNames.join(','),
  },
  quantize: {
    kind: 'text',
    value: 'KIND,…',
    help: 'smaller numbers: none, float16, dynamic, int8; each gives a file of its own',
    default: 'none',
  },
  out: { kind: 'text', value: 'DIR', help: 'where the files go', default: "export/ in the run's folder" },
  softmax: {
    kind: 'choice',
    value: 'HOW',
    choices: ['keep', 'drop', 'add'],
    help: 'drop it and the file gives logits; keep it as the model has it',
    default: 'keep',
    group: 'The file',
  },
  input: {
    kind: 'choice',
    value: 'TYPE',
    choices: ['float32', 'uint8', 'picture'],
    help: 'float32: the caller normalises; uint8: the file does; picture: it resizes as well, any size (ONNX)',
    default: 'float32',
    group: 'The file',
  },
  layout: {
    kind: 'choice',
    value: 'ORDER',
    choices: ['NCHW', 'NHWC'],
    help: 'of the input: channels first or last',
    default: 'usual for the format: ONNX NCHW, but NHWC for uint8',
    group: 'The file',
  },
  opset: {
    kind: 'integer',
    value: 'N',
    min: 13,
    max: 17,
    help: 'operators of ONNX: lower for older runtimes',
    default: 17,
    group: 'The file',
  },
  edges: {
    kind: 'choice',
    value: 'TYPE',
    choices: ['float', 'int8', 'uint8'],
    help: 'what int8 files take and give; uint8 for apps on phones',
    default: 'float; uint8 where --input is',
    group: 'The file',
  },
  profile: {
    kind: 'choice',
    value: 'WHERE',
    choices: quantizationProfiles,
    help: 'where int8 ONNX files run: ONNX Runtime, or TensorRT (Jetson; tensorrt8: JetPack 5, weights stay large)',
    default: 'cpu',
    group: 'Integers',
  },
  'reduce-range': {
    kind: 'flag',
    help: 'weights of 7 bits, whose sums stay exact on x86 CPUs without VNNI instructions',
    group: 'Integers',
  },
  calibrate: {
    kind: 'integer',
    value: 'N',
    min: 1,
    help: 'training images that the scales of int8 are taken from',
    default: 256,
    group: 'Integers',
  },
  observer: {
    kind: 'choice',
    value: 'KIND',
    choices: observerNames,
    help: 'how ranges are found: all that was seen, without its rarest numbers, or what loses least when clipped',
    default: 'min-max',
    group: 'Integers',
  },
  equalize: {
    kind: 'flag',
    help: 'scale channels between layers first, so that no weights are much smaller than others',
    group: 'Integers',
  },
  'bias-correction': {
    kind: 'flag',
    help: 'take back into the biases what rounded weights add on average',
    group: 'Integers',
  },
  'keep-float': {
    kind: 'text',
    value: 'LAYER,…',
    many: true,
    help: 'layers that int8 files spare: they go on computing in floats',
    group: 'Integers',
  },
  data: {
    kind: 'text',
    value: 'DATA',
    help: 'other images to measure on: whatever train takes',
    default: 'the data of the run',
    group: 'Proof',
  },
  split: {
    kind: 'choice',
    value: 'PART',
    choices: ['test', 'validation', 'train'],
    help: 'which images',
    default: 'test; validation where there are no test images',
    group: 'Proof',
  },
  images: { kind: 'integer', value: 'N', min: 1, help: 'measure on this many at most', default: 'all', group: 'Proof' },
  'max-drop': {
    kind: 'number',
    value: 'POINTS',
    min: 0,
    max: 100,
    help: 'refuse a file whose accuracy falls by more',
    default: 1,
    group: 'Proof',
  },
  layers: {
    kind: 'flag',
    help: 'how far each layer agrees with the model, in the runtime itself where that shows it',
    group: 'Proof',
  },
  sensitivity: {
    kind: 'flag',
    help: 'what each layer of an int8 file costs; shown in any case where the file is refused',
    group: 'Proof',
  },
  proof: {
    kind: 'flag',
    help: 'do not run the files: write them unproven',
    default: true,
    group: 'Proof',
  },
  ...machineOptions,
  quiet: quietOption,
  json: jsonOption,
} as const;

export const exportCommand = defineCommand({
  name: 'export',
  summary: 'write a trained network for other runtimes, and prove it',
  arguments: 'RUN',
  takes: [1, 1],
  about:
    'Writes files that other runtimes take, with class names and preprocessing inside, and runs each in its own ' +
    'runtime (ONNX Runtime for ONNX, LiteRT for TFLite, TF.js for its own) on the held-out images: size, accuracy, ' +
    'agreement with the model and time are measured. A SavedModel has no runtime in JavaScript: our own reader runs it. ' +
    'tfjs is for pages that predict, tfjs-layers for pages that go on training; both, and a SavedModel, are folders. ' +
    'They compute in floats: for int8 they keep their weights in 8 bits, as for dynamic. A file that does not agree is refused: nothing is written and the exit code is 1. ' +
    'RUN is the folder of a run, its name under runs/, or any folder with a saved model.',
  options: exportOptions,
  examples: [
    ['residual export runs/first --format onnx', 'runs/first/export/model.onnx'],
    ['residual export runs/first --quantize none,float16', 'full and half precision'],
    ['residual export runs/first --format tflite --quantize int8', 'a quarter of the size, for phones'],
    ['residual export runs/first --quantize int8 --layers', 'how far each layer of it agrees'],
    ['residual export runs/first --quantize int8 --keep-float fc', 'the last layer stays in floats'],
    ['residual export runs/first --format tfjs --quantize dynamic', 'for pages: tfjs-dynamic/model.json, a quarter'],
    ['residual export runs/first --format saved-model', 'for TensorFlow and TF Serving: copy it to NAME/1'],
    ['residual export runs/first --format onnx --quantize int8 --profile tensorrt', 'for a Jetson'],
    ['residual export runs/first --input uint8', 'takes pictures as they are'],
    ['residual export runs/first --format onnx --input picture', 'takes pictures of any size'],
    ['residual export runs/first --softmax drop --out build/', 'logits, to another folder'],
  ],
  run: async (positionals, values) => (await import('./export-run.ts')).exportRun(positionals, values),
});

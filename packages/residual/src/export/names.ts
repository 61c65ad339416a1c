/** The formats by name, apart from their code: help and mistakes in the command line answer without loading it. */

export const formatNames = ['onnx', 'tflite', 'tfjs', 'tfjs-layers', 'saved-model'] as const;

export type FormatName = (typeof formatNames)[number];

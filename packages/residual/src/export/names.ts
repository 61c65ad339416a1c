/** The formats by name, apart from their code: help and mistakes in the command line answer without loading it. */

export const formatNames = ['onnx', 'tflite'] as const;

export type FormatName = (typeof formatNames)[number];

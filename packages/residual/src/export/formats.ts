/** Every format of `residual export`. A new one adds its name to `names.ts` and its object here, and nowhere else. */

import type { ExportFormat } from './format.ts';
import { type FormatName, formatNames } from './names.ts';
import { onnxFormat } from './onnx/format.ts';
import { savedModelFormat } from './saved-model/format.ts';
import { tfjsFormat } from './tfjs/format.ts';
import { tfjsLayersFormat } from './tfjs/layers-format.ts';
import { tfliteFormat } from './tflite/format.ts';

const byName: Readonly<Record<FormatName, ExportFormat>> = {
  onnx: onnxFormat,
  tflite: tfliteFormat,
  tfjs: tfjsFormat,
  'tfjs-layers': tfjsLayersFormat,
  'saved-model': savedModelFormat,
};

export const formats: readonly ExportFormat[] = formatNames.map((name) => byName[name]);

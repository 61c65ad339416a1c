/** All maps, in the order in which they are preferred where several fit alike: names that say something come first. */

import { classificationModels } from './classification-models.ts';
import { gluon, gluonStructure, gluonV1b, gluonV1bStructure } from './gluon.ts';
import { huggingFace } from './hugging-face.ts';
import { kerasApplications, kerasLayers, kerasOrder } from './keras.ts';
import type { WeightMap } from './map.ts';
import { onnxOrder } from './onnx.ts';
import { openMmlab } from './open-mmlab.ts';
import { pytorchCifar } from './pytorch-cifar.ts';
import { torchvision } from './torchvision.ts';

export const weightMaps = [
  kerasLayers,
  torchvision,
  huggingFace,
  pytorchCifar,
  openMmlab,
  gluon,
  gluonStructure,
  gluonV1b,
  gluonV1bStructure,
  kerasApplications,
  classificationModels,
  kerasOrder,
  onnxOrder,
] as const satisfies readonly WeightMap[];

export type WeightMapName = (typeof weightMaps)[number]['name'];

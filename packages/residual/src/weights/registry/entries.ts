/** All public weights that are known by name, as data: a new one is one entry more.
 *  Sources: torchvision/models/resnet.py; timm/models/resnet.py and timm's results/results-imagenet.csv; the files' pages
 *  on huggingface.co (sizes, checksums, preprocessor_config.json); qubvel's classification_models. */

import type { Interpolation } from '../../data/dataset.ts';
import type { ModelName } from '../../models/registry.ts';
import type { PublishedPreprocessing, WeightsEntry } from './entry.ts';
import { fashionMnistEntry } from './own.ts';

const imagenet = { channels: 3, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

function at224(crop: number, interpolation: Interpolation): PublishedPreprocessing {
  return { size: 224, crop, interpolation, ...imagenet };
}

const torchvisionPage = 'https://docs.pytorch.org/vision/stable/models.html';

interface TorchvisionFile {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly architecture: ModelName;
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
  /** Pixels of the shorter side before the cut to 224. */
  readonly resize: number;
  readonly top1: number;
}

function torchvision(one: TorchvisionFile): WeightsEntry {
  const { name, aliases, architecture, file, size, sha256, resize, top1 } = one;
  return {
    name: `torchvision/${name}`,
    aliases,
    architecture,
    format: 'pytorch',
    file,
    url: `https://download.pytorch.org/models/${file}`,
    size,
    sha256,
    licence: 'BSD-3-Clause',
    preprocessing: at224(224 / resize, 'bilinear'),
    classes: 'imagenet-1k',
    accuracy: { top1, on: 'ImageNet-1K validation', source: torchvisionPage },
    page: torchvisionPage,
  };
}

interface TimmFile {
  /** timm's own name, e.g. `resnet18.a1_in1k`. */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly architecture: ModelName;
  readonly file: string;
  readonly url: string;
  readonly size?: number;
  readonly sha256: string;
  /** Of ImageNet-1K at 224 pixels, in percent. */
  readonly top1: number;
}

/** R. Wightman, H. Touvron, H. Jégou, "ResNet strikes back", arXiv 2110.00476. */
function timm({ name, aliases, top1, ...file }: TimmFile): WeightsEntry {
  return {
    name: `timm/${name}`,
    aliases,
    ...file,
    format: file.file.endsWith('.safetensors') ? 'safetensors' : 'pytorch',
    licence: 'Apache-2.0',
    preprocessing: at224(0.95, 'bicubic'),
    classes: 'imagenet-1k',
    accuracy: {
      top1,
      on: 'ImageNet-1K validation',
      source: 'https://github.com/huggingface/pytorch-image-models/blob/main/results/results-imagenet.csv',
    },
    page: `https://huggingface.co/timm/${name}`,
  };
}

const hub = (repository: string) => `https://huggingface.co/${repository}/resolve/main/model.safetensors`;
const timmRelease = 'https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-rsb-weights';

/** In the order in which they are listed. */
export const weightsEntries: readonly WeightsEntry[] = [
  fashionMnistEntry,
  torchvision({
    name: 'resnet18',
    aliases: ['torchvision'],
    architecture: 'resnet18',
    file: 'resnet18-f37072fd.pth',
    size: 46_830_571,
    sha256: 'f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec',
    resize: 256,
    top1: 69.758,
  }),
  torchvision({
    name: 'resnet34',
    aliases: [],
    architecture: 'resnet34',
    file: 'resnet34-b627a593.pth',
    size: 87_319_819,
    sha256: 'b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f',
    resize: 256,
    top1: 73.314,
  }),
  torchvision({
    name: 'resnet50-v1',
    aliases: [],
    architecture: 'resnet50',
    file: 'resnet50-0676ba61.pth',
    size: 102_530_333,
    sha256: '0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a',
    resize: 256,
    top1: 76.13,
  }),
  torchvision({
    name: 'resnet50',
    aliases: ['torchvision/resnet50-v2'],
    architecture: 'resnet50',
    file: 'resnet50-11ad3fa6.pth',
    size: 102_540_417,
    sha256: '11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca',
    resize: 232,
    top1: 80.858,
  }),
  timm({
    name: 'resnet18.a1_in1k',
    aliases: ['timm/a1'],
    architecture: 'resnet18',
    file: 'model.safetensors',
    url: hub('timm/resnet18.a1_in1k'),
    size: 46_807_446,
    sha256: '80c49dee3da4822c009c5a7fe591e9223c5a2cfcf95a4067ca4dfb5a7b89c612',
    top1: 71.504,
  }),
  timm({
    name: 'resnet18.a2_in1k',
    aliases: ['timm/a2'],
    architecture: 'resnet18',
    file: 'resnet18_a2_0-b61bd467.pth',
    url: `${timmRelease}/resnet18_a2_0-b61bd467.pth`,
    sha256: 'b61bd467',
    top1: 70.634,
  }),
  timm({
    name: 'resnet34.a1_in1k',
    aliases: [],
    architecture: 'resnet34',
    file: 'resnet34_a1_0-46f8f793.pth',
    url: `${timmRelease}/resnet34_a1_0-46f8f793.pth`,
    sha256: '46f8f793',
    top1: 76.42,
  }),
  timm({
    name: 'resnet34.a2_in1k',
    aliases: [],
    architecture: 'resnet34',
    file: 'resnet34_a2_0-82d47d71.pth',
    url: `${timmRelease}/resnet34_a2_0-82d47d71.pth`,
    sha256: '82d47d71',
    top1: 75.52,
  }),
  timm({
    name: 'resnet50.a1_in1k',
    aliases: [],
    architecture: 'resnet50',
    file: 'model.safetensors',
    url: hub('timm/resnet50.a1_in1k'),
    size: 102_469_840,
    sha256: '773525d5821de224f8f30c33377b7a795d7863e08522698200d3217d3f2a41bb',
    top1: 80.382,
  }),
  timm({
    name: 'resnet50.a2_in1k',
    aliases: [],
    architecture: 'resnet50',
    file: 'model.safetensors',
    url: hub('timm/resnet50.a2_in1k'),
    sha256: 'f531f9aca4dde1b89e9a465c5b9e3b916a2d1b20a216acf3b9473d1e1212ecf6',
    top1: 79.828,
  }),
  {
    name: 'microsoft/resnet-18',
    aliases: [],
    architecture: 'resnet18',
    format: 'safetensors',
    file: 'model.safetensors',
    url: hub('microsoft/resnet-18'),
    size: 46_812_324,
    sha256: '1cf00ee468998c23d084361b02cffadabacb5074105564c596b8079f77ecb126',
    licence: 'Apache-2.0',
    preprocessing: at224(0.875, 'bicubic'),
    classes: 'imagenet-1k',
    page: 'https://huggingface.co/microsoft/resnet-18',
  },
  {
    name: 'qubvel/resnet18',
    aliases: [],
    architecture: 'resnet18',
    preactivation: true,
    format: 'keras',
    file: 'resnet18_imagenet_1000.h5',
    url: 'https://github.com/qubvel/classification_models/releases/download/0.0.1/resnet18_imagenet_1000.h5',
    md5: '64da73012bb70e16c901316c201d9803',
    licence: 'MIT',
    // It takes bytes 0–255 as they are, and begins with a BN of its own: 1/255 undoes the scale 0–1.
    preprocessing: { size: 224, crop: 0.875, channels: 3, mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] },
    classes: 'imagenet-1k',
    accuracy: {
      top1: 68.24,
      on: 'ImageNet-1K validation',
      source: 'https://github.com/qubvel/classification_models',
    },
    page: 'https://github.com/qubvel/classification_models',
  },
];

/** A small frozen TensorFlow graph, a convolutional network, as the files that tfjs-converter would have written. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { io } from '@tensorflow/tfjs-core';
import { Random } from './compare.ts';

export const IMAGE = [10, 10, 2] as const;
export const FEATURES = 12;

const base64 = (text: string) => Buffer.from(text).toString('base64');
const FLOAT = { T: { type: 'DT_FLOAT' } };

/** Weights by name: He-scaled, from a seed. */
const WEIGHTS: Readonly<Record<string, readonly number[]>> = {
  'conv1/kernel': [3, 3, 2, 8],
  'conv1/bias': [8],
  'conv2/kernel': [3, 3, 8, FEATURES],
  'conv2/scale': [FEATURES],
  'conv2/offset': [FEATURES],
  'conv2/mean': [FEATURES],
  'conv2/variance': [FEATURES],
};

const constant = (name: string, dtype: string, shape: readonly number[]) => ({
  name,
  op: 'Const',
  attr: {
    dtype: { type: dtype },
    value: { tensor: { dtype, tensorShape: { dim: shape.map((d) => ({ size: `${d}` })) } } },
  },
});

const window = (strides: number, padding: string) => ({
  strides: { list: { i: ['1', `${strides}`, `${strides}`, '1'] } },
  padding: { s: base64(padding) },
  data_format: { s: base64('NHWC') },
});

const GRAPH = {
  node: [
    {
      name: 'image',
      op: 'Placeholder',
      attr: { dtype: { type: 'DT_FLOAT' }, shape: { shape: { dim: [-1, ...IMAGE].map((d) => ({ size: `${d}` })) } } },
    },
    ...Object.entries(WEIGHTS).map(([name, shape]) => constant(name, 'DT_FLOAT', shape)),
    constant('axes', 'DT_INT32', [2]),
    {
      name: 'conv1',
      op: 'Conv2D',
      input: ['image', 'conv1/kernel'],
      attr: { ...FLOAT, ...window(1, 'SAME'), dilations: { list: { i: ['1', '1', '1', '1'] } } },
    },
    {
      name: 'conv1/add',
      op: 'BiasAdd',
      input: ['conv1', 'conv1/bias'],
      attr: { ...FLOAT, data_format: { s: base64('NHWC') } },
    },
    { name: 'relu1', op: 'Relu', input: ['conv1/add'], attr: FLOAT },
    {
      name: 'pool',
      op: 'MaxPool',
      input: ['relu1'],
      attr: { ...FLOAT, ...window(2, 'VALID'), ksize: { list: { i: ['1', '2', '2', '1'] } } },
    },
    {
      name: 'conv2',
      op: 'Conv2D',
      input: ['pool', 'conv2/kernel'],
      attr: { ...FLOAT, ...window(1, 'SAME'), dilations: { list: { i: ['1', '1', '1', '1'] } } },
    },
    {
      name: 'norm',
      op: 'FusedBatchNormV3',
      input: ['conv2', 'conv2/scale', 'conv2/offset', 'conv2/mean', 'conv2/variance'],
      attr: {
        ...FLOAT,
        U: { type: 'DT_FLOAT' },
        epsilon: { f: 0.001 },
        is_training: { b: false },
        data_format: { s: base64('NHWC') },
      },
    },
    { name: 'relu2', op: 'Relu', input: ['norm'], attr: FLOAT },
    {
      name: 'features',
      op: 'Mean',
      input: ['relu2', 'axes'],
      attr: { ...FLOAT, Tidx: { type: 'DT_INT32' }, keep_dims: { b: false } },
    },
  ],
  library: {},
  versions: { producer: 1000 },
};

function values(name: string, shape: readonly number[], random: Random): Float32Array {
  const size = shape.reduce((a, b) => a * b, 1);
  const scale = shape.length > 1 ? Math.sqrt((6 * shape[shape.length - 1]) / size) : 0.3;
  const shift = name.endsWith('variance') || name.endsWith('scale') ? 1 : 0;
  return Float32Array.from({ length: size }, () => shift + scale * (2 * random.next() - 1));
}

/** Writes model.json and its weights to `folder`; returns the path of model.json. */
export async function writeGraphModel(folder: string): Promise<string> {
  const random = new Random(11);
  const entries = Object.entries(WEIGHTS).map(([name, shape]) => ({ name, shape, dtype: 'float32' }));
  const data = [...entries.map(({ name, shape }) => values(name, shape, random)), Int32Array.of(1, 2)];
  const model = {
    format: 'graph-model',
    generatedBy: 'a test',
    convertedBy: null,
    modelTopology: GRAPH,
    weightsManifest: [
      { paths: ['group1-shard1of1.bin'], weights: [...entries, { name: 'axes', shape: [2], dtype: 'int32' }] },
    ],
  };
  await writeFile(join(folder, 'group1-shard1of1.bin'), Buffer.concat(data.map((d) => Buffer.from(d.buffer))));
  await writeFile(join(folder, 'model.json'), JSON.stringify(model));
  return join(folder, 'model.json');
}

/** Reads a model's files from disk, as tfjs-node's handler for file:// does. */
export function fromDisk(path: string): io.IOHandler {
  return {
    async load() {
      const model = JSON.parse(await readFile(path, 'utf8')) as io.ModelJSON;
      const { paths } = model.weightsManifest[0];
      const shards = await Promise.all(paths.map((shard) => readFile(join(dirname(path), shard))));
      const bytes = new Uint8Array(Buffer.concat(shards));
      return {
        modelTopology: model.modelTopology,
        weightSpecs: model.weightsManifest.flatMap(({ weights }) => weights),
        weightData: bytes.buffer,
      };
    },
  };
}

/** What a file that holds a whole model says of its layers: ε and padding, in place of what its origin usually has. */

import type { WeightFile } from './tensor.ts';

export interface FileConfig {
  /** By the name of a batch normalisation. */
  readonly epsilons: ReadonlyMap<string, number>;
  /** Of its strided convolutions; undefined where there are none. */
  readonly padding: 'symmetric' | 'same' | undefined;
}

interface LayerConfig {
  readonly name: string;
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** Undefined for files without a Keras configuration. */
export function configOf(file: WeightFile): FileConfig | undefined {
  const root = 'modelConfig' in file ? file.modelConfig : 'topology' in file ? modelIn(file.topology) : undefined;
  const layers = layersIn(root, 0);
  if (layers.length === 0) return undefined;
  const epsilons = layers.flatMap(({ name, className, config }) =>
    className === 'BatchNormalization' && typeof config.epsilon === 'number' ? [[name, config.epsilon] as const] : [],
  );
  const strided = layers.find(
    ({ className, config }) => className === 'Conv2D' && largest(config.strides) > 1 && largest(config.kernel_size) > 1,
  );
  const padding = strided === undefined ? undefined : strided.config.padding === 'same' ? 'same' : 'symmetric';
  return { epsilons: new Map(epsilons), padding };
}

/** What a file without a configuration says in its metadata, as `torchState` writes it: one ε for all, and padding. */
export function conventionsIn({ metadata }: WeightFile): {
  readonly epsilon: number | undefined;
  readonly padding: FileConfig['padding'];
} {
  const epsilon = Number(metadata.epsilon);
  const { padding } = metadata;
  return {
    epsilon: epsilon > 0 && epsilon < 1 ? epsilon : undefined,
    padding: padding === 'symmetric' || padding === 'same' ? padding : undefined,
  };
}

/** TF.js's converter puts the configuration beside its own notes; TF.js itself writes nothing else. */
function modelIn(topology: unknown): unknown {
  return field(topology, 'model_config') ?? topology;
}

/** Models within models included. A file may nest them without end. */
function layersIn(model: unknown, depth: number): readonly LayerConfig[] {
  const config = field(model, 'config') ?? model;
  const layers = Array.isArray(config) ? config : field(config, 'layers');
  if (!Array.isArray(layers) || depth > 8) return [];
  return layers.flatMap((layer: unknown) => {
    const className = field(layer, 'class_name');
    const own = field(layer, 'config');
    const name = field(own, 'name') ?? field(layer, 'name');
    if (typeof className !== 'string' || typeof own !== 'object' || own === null) return [];
    const inner = layersIn(layer, depth + 1);
    if (inner.length > 0 || typeof name !== 'string') return inner;
    return [{ name, className, config: own as Readonly<Record<string, unknown>> }];
  });
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

function largest(sizes: unknown): number {
  return Array.isArray(sizes) ? Math.max(...sizes.map(Number)) : Number(sizes ?? 1);
}

/** Keras 3 names the layers in a `.weights.h5` by class and count (`layers/conv2d_3`), not by their own names.
 *  Here those names are made from a model's configuration, and read where there is none. */

/** keras.src.utils.naming.to_snake_case: `BatchNormalization` → `batch_normalization`. */
export function snakeCase(className: string): string {
  return className
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** Classes with weights, and their variables in order, with and without those that options can leave out. */
const VARIABLES: Readonly<Record<string, readonly (readonly string[])[]>> = {
  Conv2D: [['kernel', 'bias'], ['kernel']],
  DepthwiseConv2D: [['kernel', 'bias'], ['kernel']],
  Dense: [['kernel', 'bias'], ['kernel']],
  // Three alone could be gamma or beta before the averages.
  BatchNormalization: [
    ['gamma', 'beta', 'moving_mean', 'moving_variance'],
    ['moving_mean', 'moving_variance'],
  ],
  SeparableConv2D: [
    ['depthwise_kernel', 'pointwise_kernel', 'bias'],
    ['depthwise_kernel', 'pointwise_kernel'],
  ],
};

const CLASSES = new Map(Object.keys(VARIABLES).map((name) => [snakeCase(name), name]));

/** The class of a layer that Keras 3 stores as e.g. `conv2d_3`. */
export function classOf(stored: string): string | undefined {
  return CLASSES.get(stored.replace(/_\d+$/, ''));
}

/** The variables of a layer with so many weights, where its class leaves no choice. */
export function variablesOf(className: string | undefined, count: number): readonly string[] {
  if (className === undefined || !Object.hasOwn(VARIABLES, className)) return [];
  return VARIABLES[className]?.find(({ length }) => length === count) ?? [];
}

/** `conv2d_2` before `conv2d_10`. */
export function naturally(a: string, b: string): number {
  const [, stemA = a, countA = '-1'] = /^(.*)_(\d+)$/.exec(a) ?? [];
  const [, stemB = b, countB = '-1'] = /^(.*)_(\d+)$/.exec(b) ?? [];
  if (stemA !== stemB) return stemA < stemB ? -1 : 1;
  return Number(countA) - Number(countB) || (a < b ? -1 : 1);
}

/** A layer of a configuration, and where a `.weights.h5` keeps it. */
export interface StoredLayer {
  /** e.g. `layers/functional/layers/conv2d_1`. */
  readonly path: string;
  readonly name: string;
  readonly className: string;
}

/** The layers of a model's configuration in order, models within it taken apart. `depth` bounds the nesting. */
export function storedLayers(config: unknown, prefix = '', depth = 0): StoredLayer[] {
  const layers = field(field(config, 'config'), 'layers') ?? field(config, 'config');
  if (!Array.isArray(layers) || depth > 8) return [];
  const used = new Map<string, number>();
  return layers.flatMap((layer: unknown) => {
    const className = text(field(layer, 'class_name')) ?? '';
    const stem = snakeCase(className);
    const count = used.get(stem) ?? 0;
    used.set(stem, count + 1);
    const path = `${prefix}layers/${count === 0 ? stem : `${stem}_${count}`}`;
    const name = text(field(field(layer, 'config'), 'name')) ?? text(field(layer, 'name')) ?? stem;
    return [{ path, name, className }, ...storedLayers(layer, `${path}/`, depth + 1)];
  });
}

export function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

const text = (value: unknown) => (typeof value === 'string' ? value : undefined);

/** The objects that a pickle of weights may hold: storages, tensors as views of them, ordered dicts.
 *  Every other global is refused by name, before anything is made of it. */

import { WeightsError } from '../errors.ts';
import { extentOf, isRowMajor, rowMajor, type StridedView, toFloat32, WIDTHS } from '../floats.ts';
import { show } from '../reader.ts';
import type { StoredType } from '../tensor.ts';
import { PickleGlobal } from './pickle.ts';

/** A run of numbers, shared by any number of tensors. */
export interface Storage {
  /** Undefined for bytes without a type, which only `_rebuild_tensor_v3` gives one. */
  readonly type: StoredType | undefined;
  /** In bytes. */
  readonly size: number;
  readonly littleEndian: boolean;
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** How PyTorch's own classes of storages are called. Complex and quantised ones hold no ResNet's weights. */
export const STORAGE_TYPES: Readonly<Record<string, StoredType>> = {
  DoubleStorage: 'float64',
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
};

const DTYPES: Readonly<Record<string, StoredType>> = {
  ...Object.fromEntries(Object.keys(WIDTHS).map((type) => [type, type as StoredType])),
  double: 'float64',
  float: 'float32',
  half: 'float16',
  long: 'int64',
  int: 'int32',
  short: 'int16',
};

/** A tensor: a view of a storage. */
export class PickledTensor {
  readonly storage: Storage;
  readonly type: StoredType;
  readonly view: StridedView;

  constructor(storage: Storage, type: StoredType, view: StridedView) {
    this.storage = storage;
    this.type = type;
    this.view = view;
  }

  /** Row-major. @throws WeightsError where the view leaves its storage, or the storage the file */
  async read(who: string): Promise<Float32Array> {
    const { storage, type, view } = this;
    const width = WIDTHS[type];
    const length = extentOf(view, Math.floor(storage.size / width), who);
    const bytes = await storage.read(view.offset * width, length * width);
    const values = toFloat32(bytes, type, storage.littleEndian);
    return isRowMajor(view) ? values : rowMajor(values, view);
  }
}

/** Is beside a tensor in some files: a device, a dtype, a size. Known, and of no use to us. */
const ignored = (name: string) => new PickleGlobal(name, () => name);

/** What the pickles of `file` may name. */
export function findGlobal(file: string): (module: string, name: string) => PickleGlobal {
  const known = new Map<string, PickleGlobal>();
  const add = (global: PickleGlobal) => known.set(global.name, global);
  const fail = (problem: string) => new WeightsError(`${file}: no readable PyTorch file: ${problem}`);

  for (const name of Object.keys(STORAGE_TYPES)) add(new PickleGlobal(`torch.${name}`));
  for (const name of ['UntypedStorage', 'TypedStorage']) add(new PickleGlobal(`torch.storage.${name}`));
  for (const name of Object.keys(DTYPES)) add(new PickleGlobal(`torch.${name}`));
  for (const name of ['torch.Tensor', 'torch.nn.parameter.Parameter']) add(new PickleGlobal(name));
  add(ignored('torch.device'));
  add(ignored('torch.serialization._get_layout'));

  add(
    new PickleGlobal('collections.OrderedDict', ([items]) => {
      const dict = new Map<unknown, unknown>();
      // Python 2 gave its pairs as an argument.
      for (const pair of Array.isArray(items) ? items : []) {
        if (Array.isArray(pair)) dict.set(pair[0], pair[1]);
      }
      return dict;
    }),
  );
  add(new PickleGlobal('torch.Size', ([items]) => (Array.isArray(items) ? [...items] : [])));
  for (const module of ['builtins', '__builtin__']) {
    add(new PickleGlobal(`${module}.set`, ([items]) => (Array.isArray(items) ? [...items] : [])));
  }
  // How protocol 2 writes bytes.
  add(new PickleGlobal('_codecs.encode', ([text]) => text));

  const tensor = (storage: unknown, offset: unknown, size: unknown, stride: unknown, dtype?: unknown) => {
    if (!isStorage(storage)) throw fail('a tensor has no storage');
    const named = dtype instanceof PickleGlobal ? DTYPES[dtype.name.replace('torch.', '')] : undefined;
    const type = named ?? storage.type;
    if (!type) throw fail('a tensor has no type');
    if (typeof offset !== 'number' || !areNumbers(size) || !areNumbers(stride)) throw fail('a tensor has no shape');
    return new PickledTensor(storage, type, { shape: [...size], strides: [...stride], offset });
  };
  add(new PickleGlobal('torch._utils._rebuild_tensor', ([storage, ...at]) => tensor(storage, at[0], at[1], at[2])));
  add(
    new PickleGlobal('torch._utils._rebuild_tensor_v2', ([storage, offset, size, stride, , , metadata]) => {
      // Bits that say that the numbers are stored conjugated or negated.
      if (metadata instanceof Map && [...metadata.values()].some(Boolean)) throw fail('a tensor is a view with a sign');
      return tensor(storage, offset, size, stride);
    }),
  );
  add(
    new PickleGlobal('torch._utils._rebuild_tensor_v3', ([storage, offset, size, stride, , , dtype]) =>
      tensor(storage, offset, size, stride, dtype),
    ),
  );
  const same = ([data]: readonly unknown[]) => {
    if (!(data instanceof PickledTensor)) throw fail('a parameter is no tensor');
    return data;
  };
  add(new PickleGlobal('torch._utils._rebuild_parameter', same));
  add(new PickleGlobal('torch._utils._rebuild_parameter_with_state', same));
  // A tensor or parameter with attributes of its own: (function, its type, its arguments, the attributes).
  add(
    new PickleGlobal('torch._tensor._rebuild_from_type_v2', ([rebuild, , args]) => {
      if (
        !(rebuild instanceof PickleGlobal) ||
        !/_rebuild_(tensor|parameter)/.test(rebuild.name) ||
        !Array.isArray(args)
      ) {
        throw fail('a tensor is rebuilt by what rebuilds no tensors');
      }
      return rebuild.call?.(args);
    }),
  );

  return (module, name) => {
    const full = `${module}.${name}`;
    const global = known.get(full);
    if (global) return global;
    throw fail(
      `it names ${show(full)}, which is neither a tensor, a container nor a number, and is not run; ${hintFor(module)}`,
    );
  };
}

/** What to do about an object that is refused. */
function hintFor(module: string): string {
  const stateOnly = 'in PyTorch, save only the weights: torch.save(model.state_dict(), PATH)';
  return /(^|\.)(nn|models?|layers|modules|timm|torchvision|__main__|__torch__)(\.|$)/.test(module)
    ? `the file holds a whole model; ${stateOnly}`
    : stateOnly;
}

const STORAGES = new WeakSet<object>();

/** Marks what a file's loader made as a storage: nothing in a pickle can pass for one. */
export function asStorage(storage: Storage): Storage {
  STORAGES.add(storage);
  return storage;
}

const isStorage = (value: unknown): value is Storage =>
  typeof value === 'object' && value !== null && STORAGES.has(value);

/** Values out of a pickle go into messages only when they are known to be short: a list in itself has no end as text. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

const areNumbers = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'number');

/** What a persistent id says: `('storage', type, key, location, number of elements[, view])`. */
export interface StorageId {
  /** Undefined for bytes without a type. */
  readonly type: StoredType | undefined;
  readonly key: string;
  /** In bytes. */
  readonly size: number;
  /** Only in the legacy format. */
  readonly view: unknown;
}

/** @throws WeightsError where it is no such tuple */
export function parseStorageId(id: unknown, file: string): StorageId {
  const fail = (problem: string) => new WeightsError(`${file}: no readable PyTorch file: ${problem}`);
  const [kind, global, key, , count, view] = Array.isArray(id) ? id : [];
  if (kind === 'module') throw fail('it holds the source code of a model, which is not run; save its state_dict()');
  if (kind !== 'storage' || !(global instanceof PickleGlobal)) throw fail('a storage has no type');
  const type = STORAGE_TYPES[global.name.replace('torch.', '')];
  if (!type && global.name !== 'torch.storage.UntypedStorage') throw fail(`${show(global.name)} is no storage`);
  if (typeof key !== 'string' && typeof key !== 'number') throw fail('a storage has no key');
  if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0)
    throw fail(`a storage has ${count} numbers`);
  const size = count * (type ? WIDTHS[type] : 1);
  return { type, key: String(key), size, view };
}

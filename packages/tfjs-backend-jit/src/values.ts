/**
 * Where values are and how they get to and from the host: an entry's value is an array here, a place in Wasm memory, an
 * id of the cpu backend (for its kernels, and for types that only they have), or several of these.
 */
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import { type BackendValues, type DataType, type KernelFunc, Tensor, type TensorInfo } from '@tensorflow/tfjs-core';
import type { DataId } from '@tensorflow/tfjs-core/dist/tensor_info.js';
import { Device } from './device.ts';
import { sizeOf } from './graph/shape.ts';
import { type DeviceBuffer, type Entry, newEntry } from './record/recording.ts';
import { type CompiledType, isCompiled } from './record/rule.ts';
import type { Engine, HostValues } from './runtime/engine.ts';

/** How the host holds what compiled code holds in four bytes. */
const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

export class Values {
  readonly device: Device;
  private readonly engine: Engine;
  private readonly cpu: MathBackendCPU;

  constructor(engine: Engine) {
    this.engine = engine;
    this.cpu = new MathBackendCPU();
    (this.cpu as unknown as { firstUse: boolean }).firstUse = false; // no advice about tfjs-node
    this.device = new Device(engine, (entry) => this.numbersOf(entry));
  }

  /** An entry for the caller's values, which stay the caller's. */
  take(values: BackendValues, shape: number[], dtype: DataType, size: number): Entry {
    if (!isCompiled(dtype) || values === null)
      return newEntry(dtype, size, { host: this.cpu.write(values, shape, dtype) });
    const device = values instanceof Float32Array && dtype === 'float32' ? this.device.write(values) : undefined;
    if (device !== undefined) return newEntry(dtype, size, { device });
    // A copy: what was recorded runs later, and the caller may have put other values into its array by then.
    return newEntry(dtype, size, { values: new ARRAYS[dtype](values as HostValues) });
  }

  /** An entry for a few numbers. */
  of(dtype: CompiledType, numbers: readonly number[]): Entry {
    return newEntry(dtype, numbers.length, { values: ARRAYS[dtype].from(numbers) });
  }

  /** The values of an entry that is on the host; undefined where it is not. */
  onHost({ values, host }: Entry): BackendValues | undefined {
    return values ?? (host === undefined ? undefined : this.cpu.readSync(host));
  }

  /** The numbers of an entry that is on the host, in the array of their type: some cpu kernels leave integers that were
   *  cast to floats as they are. */
  numbersOf(entry: Entry): HostValues {
    const values = this.onHost(entry) as HostValues | undefined;
    if (values === undefined) throw new Error('internal: a value is not on the host');
    const Type = ARRAYS[entry.dtype as CompiledType];
    return values instanceof Type ? values : new Type(values);
  }

  /** The value of an entry that was computed or is on its way. */
  async read(entry: Entry): Promise<BackendValues> {
    const { device } = entry;
    const here = this.onHost(entry);
    if (here !== undefined || device === undefined) return here ?? nowhere();
    device.refs++; // whoever disposes of the tensor meanwhile does not take its memory
    try {
      await this.engine.done(device.run);
      return this.download(device, entry);
    } finally {
      this.device.release(device);
    }
  }

  readSync(entry: Entry): BackendValues {
    const here = this.onHost(entry);
    if (here !== undefined) return here;
    if (entry.device === undefined) return nowhere();
    this.engine.doneSync(entry.device.run);
    return this.download(entry.device, entry);
  }

  /**
   * Runs a kernel of the cpu backend, at once.
   *
   * @param entryOf an input's entry, computed or on its way
   * @param expose makes a tensor of an entry
   */
  runOnCpu(
    kernel: KernelFunc,
    inputs: object,
    attrs: unknown,
    entryOf: (info: TensorInfo) => Entry,
    expose: (entry: Entry, shape: readonly number[], dtype: DataType) => TensorInfo,
  ): TensorInfo | TensorInfo[] {
    type Given = TensorInfo | readonly TensorInfo[] | null | undefined;
    // A copy of the tensor itself: some cpu kernels ask for its rank or size.
    const give = (info: TensorInfo): TensorInfo =>
      Object.assign(Object.create(Object.getPrototypeOf(info)), info, { dataId: this.cpuId(entryOf(info)) });
    const giveAll = (given: Given): Given => {
      if (given === null || given === undefined) return given;
      return 'dataId' in given ? give(given) : given.map(give); // some kernels take lists under one name
    };
    const given = Array.isArray(inputs)
      ? inputs.map(giveAll)
      : Object.fromEntries(Object.entries(inputs).map(([name, info]) => [name, giveAll(info as Given)]));
    const result = kernel({ inputs: given as never, backend: this.cpu, attrs: attrs as never });
    const adopt = (info: TensorInfo) => expose(this.adopt(info), info.shape, info.dtype);
    return Array.isArray(result) ? result.map(adopt) : adopt(result);
  }

  /** Nobody holds the entry any more. */
  release(entry: Entry): void {
    entry.values = undefined;
    if (entry.host !== undefined) {
      this.cpu.disposeData(entry.host);
      entry.host = undefined;
    }
    if (entry.device !== undefined) {
      this.device.release(entry.device);
      entry.device = undefined;
    }
  }

  /** The id under which the cpu backend has an entry's value. */
  private cpuId(entry: Entry): DataId {
    entry.host ??= this.cpu.write(this.readSync(entry), [entry.size], entry.dtype);
    return entry.host;
  }

  /** Takes over what a cpu kernel made. Some return tensors that the engine disposes of: these are copied. */
  private adopt(info: TensorInfo): Entry {
    const { shape, dtype } = info;
    const host = info instanceof Tensor ? this.cpu.write(this.cpu.readSync(info.dataId), shape, dtype) : info.dataId;
    return newEntry(dtype, sizeOf(shape), { host });
  }

  private download(device: DeviceBuffer, { size, dtype }: Entry): HostValues {
    const { heap } = this.engine;
    const at = device.address / 4;
    if (dtype === 'float32') return heap.f32.slice(at, at + size);
    const values = heap.i32.slice(at, at + size);
    return dtype === 'bool' ? Uint8Array.from(values) : values;
  }
}

function nowhere(): never {
  throw new Error('internal: a value is nowhere');
}

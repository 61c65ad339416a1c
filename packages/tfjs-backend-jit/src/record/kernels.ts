/** The kernels of the backend: every kernel of the cpu backend, recorded where there is a rule, run on the host where not. */
import type { DataType, KernelConfig, KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { util } from '@tensorflow/tfjs-core';
import type { JitBackend } from '../backend.ts';
import { rules } from './rules.ts';

/** Kernels that only give data another shape: no copy, no node. */
const ALIASES: Readonly<
  Record<
    string,
    (inputs: Record<string, TensorInfo>, attrs: Record<string, unknown>) => readonly [TensorInfo, number[]] | null
  >
> = {
  Identity: ({ x }) => [x, x.shape],
  Reshape: ({ x }, attrs) => {
    const size = util.sizeFromShape(x.shape);
    const shape = util.inferFromImplicitShape(attrs.shape as number[], size);
    return util.sizeFromShape(shape) === size ? [x, shape] : null;
  },
  ExpandDims: ({ input }, attrs) => {
    const dim = attrs.dim as number;
    const rank = input.shape.length;
    if (dim < -rank - 1 || dim > rank) return null; // the cpu kernel says what is wrong
    return [input, input.shape.toSpliced(dim < 0 ? rank + dim + 1 : dim, 0, 1)];
  },
  Cast: ({ x }, attrs) => (x.dtype === (attrs.dtype as DataType) ? [x, x.shape] : null),
};

export function kernelConfigs(cpu: readonly KernelConfig[]): KernelConfig[] {
  const onCpu = new Map(cpu.map((config) => [config.kernelName, config.kernelFunc]));
  const names = new Set([...onCpu.keys(), ...Object.keys(rules)]);
  return [...names].map((kernelName) => ({
    kernelName,
    backendName: 'jit',
    kernelFunc: kernelFunction(kernelName, onCpu.get(kernelName)),
  }));
}

function kernelFunction(name: string, cpuKernel: KernelFunc | undefined): KernelFunc {
  const rule = rules[name];
  const recorders = new WeakMap<object, KernelFunc>();
  const general: KernelFunc = (call) => {
    const backend = call.backend as JitBackend;
    if (rule === undefined) {
      if (cpuKernel === undefined) throw new Error(`internal: kernel ${name} has no function`);
      return backend.runOnCpu(cpuKernel, call.inputs as Record<string, TensorInfo>, call.attrs);
    }
    let recorder = recorders.get(backend);
    if (recorder === undefined) {
      recorder = backend.recorder(name, rule, cpuKernel);
      recorders.set(backend, recorder);
    }
    return recorder(call);
  };
  const alias = ALIASES[name];
  if (alias !== undefined) {
    return (call) => {
      const same = alias(call.inputs as Record<string, TensorInfo>, (call.attrs ?? {}) as Record<string, unknown>);
      return same === null ? general(call) : (call.backend as JitBackend).alias(...same);
    };
  }
  if (name === 'GatherV2' && cpuKernel !== undefined) {
    return (call) => {
      // Indices that the host knows are checked at once, as the cpu kernel does; others are clamped when the program runs.
      const backend = call.backend as JitBackend;
      const { x, indices } = call.inputs as Record<string, TensorInfo>;
      const { axis } = call.attrs as unknown as { axis: number };
      const known = indices.dtype === 'int32' ? backend.hostValues(indices.dataId) : undefined;
      const bound = x.shape[util.parseAxisParam(axis, x.shape)[0]];
      if (known?.some((index) => index < 0 || index >= bound)) {
        return backend.runOnCpu(cpuKernel, call.inputs as Record<string, TensorInfo>, call.attrs);
      }
      return general(call);
    };
  }
  if (name === 'Fill' && cpuKernel !== undefined) {
    return (call) => {
      const { shape, value, dtype } = call.attrs as unknown as { shape: number[]; value: number; dtype?: DataType };
      const type = dtype ?? util.inferDtype(value);
      if (value === 0 || value === 1 || typeof value !== 'number')
        return general({ ...call, attrs: { shape, value, dtype: type } as never });
      return (call.backend as JitBackend).fill(shape, value, type, cpuKernel);
    };
  }
  return general;
}

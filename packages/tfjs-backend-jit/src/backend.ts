/**
 * The TF.js backend: data ids stand for values on the host, in Wasm memory, or still to be computed.
 * Kernels are recorded; a program runs when a value is read, or at the end of the current turn of the event loop.
 */
import {
  type BackendTimingInfo,
  type BackendValues,
  DataStorage,
  type DataType,
  KernelBackend,
  type KernelFunc,
  type Tensor,
  type TensorInfo,
  engine as tfEngine,
  tidy,
  util,
} from '@tensorflow/tfjs-core';
import type { DataId } from '@tensorflow/tfjs-core/dist/tensor_info.js';
import { sizeOf } from './graph/shape.ts';
import { Pending } from './record/pending.ts';
import { type Entry, namedInputs } from './record/recording.ts';
import { isCompiled, type Rule, type TensorType } from './record/rule.ts';
import type { Seen, Trace, Watched } from './record/trace.ts';
import { type Tracer, traced } from './record/traced.ts';
import { Runner } from './runner.ts';
import type { Engine, HostValues } from './runtime/engine.ts';
import { Values } from './values.ts';

/** Arrays at least so long are looked at on `write`: `tf.ones` and `tf.zeros` need no memory and no copy. */
const UNIFORM_FROM = 1024;

export class JitBackend extends KernelBackend implements Tracer {
  readonly engine: Engine;
  private readonly data: DataStorage<Entry>;
  private readonly values: Values;
  private readonly runner: Runner;
  private readonly pending: Pending;
  private readonly fillRule: Rule<never>;

  /** @param compileAlways small new programs too, which else are run step by step */
  constructor(engine: Engine, fillRule: Rule<never>, compileAlways: boolean) {
    super();
    this.engine = engine;
    this.fillRule = fillRule;
    this.data = new DataStorage(this, tfEngine());
    this.values = new Values(engine);
    this.runner = new Runner(engine, this.values, compileAlways);
    this.pending = new Pending(this.runner);
  }

  // ── data ids ────────────────────────────────────────────────────────────────────────────────────────────────

  override refCount(dataId: DataId): number {
    return this.data.has(dataId) ? this.data.get(dataId).refCount : 0;
  }

  override incRef(dataId: DataId): void {
    this.data.get(dataId).refCount++;
  }

  override numDataIds(): number {
    return this.data.numDataIds();
  }

  override write(values: BackendValues, shape: number[], dtype: DataType): DataId {
    const dataId = {};
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(dataId: DataId, values: BackendValues, shape: number[], dtype: DataType, refCount: number): void {
    const uniform = isCompiled(dtype) && values !== null ? uniformValue(values as HostValues) : undefined;
    const entry =
      uniform === undefined
        ? this.values.take(values, shape, dtype, util.sizeFromShape(shape))
        : this.uniform(uniform, shape, dtype);
    entry.refCount = refCount;
    this.data.set(dataId, entry);
  }

  override disposeData(dataId: DataId, force = false): boolean {
    if (!this.data.has(dataId)) return true;
    const entry = this.data.get(dataId);
    entry.refCount--;
    if (!force && entry.refCount > 0) return false;
    entry.refCount = 0;
    this.data.delete(dataId);
    if (entry.readers === 0) this.values.release(entry);
    return true;
  }

  override async read(dataId: DataId): Promise<BackendValues> {
    return this.values.read(this.computed(dataId));
  }

  override readSync(dataId: DataId): BackendValues {
    return this.values.readSync(this.computed(dataId));
  }

  // ── facts ───────────────────────────────────────────────────────────────────────────────────────────────────

  override timerAvailable(): boolean {
    return true;
  }

  /** Milliseconds from the call of `query` (which is at once) until all that it recorded has run. */
  override time(query: () => void): Promise<BackendTimingInfo> {
    this.flush();
    this.engine.doneAllSync();
    const start = util.now();
    query();
    this.flush();
    return this.engine.doneAll().then(() => ({ kernelMs: util.now() - start }));
  }

  override memory(): { unreliable: boolean; wasmBytes: number; wasmPeakBytes: number } {
    const { heap } = this.engine;
    return { unreliable: false, wasmBytes: this.values.device.bytesInUse, wasmPeakBytes: heap.peak };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override dispose(): void {
    this.engine.pool.end();
  }

  // ── kernels ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes the kernel function that records `kernel`, or runs the cpu kernel where the rule does not apply. */
  recorder(kernel: string, rule: Rule<never>, cpuKernel: KernelFunc | undefined): KernelFunc {
    return ({ inputs, attrs }) => {
      const named = namedInputs(inputs);
      const types = inferOrNull(rule, named, attrs, cpuKernel !== undefined);
      if (types === null || types.length === 0 || types.some(({ shape }) => sizeOf(shape) === 0)) {
        if (cpuKernel === undefined) throw new Error(`${kernel}: float32 tensors that are not empty are needed`);
        return this.runOnCpu(cpuKernel, inputs, attrs);
      }
      const names = Object.keys(named);
      const given = names.map((name) => this.seen(named[name]));
      const entries = this.pending.add(kernel, rule, names, given, attrs, types);
      if (!rule.list) return this.expose(entries[0], types[0].shape, types[0].dtype);
      return entries.map((entry, i) => this.expose(entry, types[i].shape, types[i].dtype));
    };
  }

  /** A constant of any value: recorded with the value as a runtime input. */
  fill(shape: number[], value: number, dtype: DataType, cpuKernel: KernelFunc): TensorInfo {
    const attrs = { shape, value, dtype };
    if (!isCompiled(dtype) || sizeOf(shape) < UNIFORM_FROM) return this.runOnCpu(cpuKernel, {}, attrs) as TensorInfo;
    const scalar = this.values.of(dtype, [value]);
    scalar.refCount = 0;
    const inputs = [{ entry: scalar, shape: [], dtype }];
    const [entry] = this.pending.add('Fill', this.fillRule, ['value'], inputs, { shape, dtype }, [{ shape, dtype }]);
    return this.expose(entry, shape, dtype);
  }

  /** Runs a kernel of the cpu backend on host values, at once. */
  runOnCpu(kernel: KernelFunc, inputs: object, attrs: unknown): TensorInfo | TensorInfo[] {
    return this.values.runOnCpu(
      kernel,
      inputs,
      attrs,
      ({ dataId }) => this.computed(dataId),
      (entry, shape, dtype) => this.expose(entry, shape, dtype),
    );
  }

  /** The values of a data id if they are on the host already. */
  hostValues(dataId: DataId): HostValues | undefined {
    this.noteUse();
    return this.values.onHost(this.data.get(dataId)) as HostValues | undefined;
  }

  /** The same data under another shape. */
  alias(info: TensorInfo, shape: readonly number[]): TensorInfo {
    this.incRef(info.dataId);
    return { dataId: info.dataId, shape: [...shape], dtype: info.dtype };
  }

  /** Starts everything that was recorded and is still needed. */
  flush(): void {
    this.pending.flush();
  }

  /** 0 or 1 everywhere: a part of the program that reads it. */
  private uniform(value: 0 | 1, shape: number[], dtype: DataType): Entry {
    const attrs = { shape, value, dtype };
    const types = this.fillRule.infer({}, attrs as never);
    if (types === null) throw new Error('internal: a fill has no type');
    const [entry] = this.pending.add('Fill', this.fillRule, [], [], attrs, types);
    return entry;
  }

  private expose(entry: Entry, shape: readonly number[], dtype: DataType): TensorInfo {
    const dataId = {};
    this.data.set(dataId, entry);
    return { dataId, shape: [...shape], dtype };
  }

  /** The entry of a data id whose value someone wants to see: it was computed or is on its way. */
  private computed(dataId: DataId): Entry {
    this.noteUse();
    const entry = this.data.get(dataId);
    if (entry.node !== undefined) this.flush();
    if (entry.failure) throw entry.failure;
    return entry;
  }

  private noteUse(): void {
    const { watched } = this.runner;
    if (watched !== undefined) watched.usedValues = true;
  }

  // ── traced functions ────────────────────────────────────────────────────────────────────────────────────────

  /**
   * A function that is recorded at its first calls only, as `tf.function` and `jax.jit` do: once two recordings for
   * arguments of the same shapes and types were the same, a call starts their program at once.
   *
   * @param fn is pure: what it computes depends on its arguments and on the tensors of `reads`, and it changes nothing.
   *   One that looks at values, reads other tensors or makes random numbers is called as it is.
   * @param reads The tensors beside the arguments, in an order that stays: weights, say. Their values may change.
   * @example const predict = jit.traced((x) => model.apply(x) as tf.Tensor, () => model.weights.map((w) => w.read()));
   */
  traced<Args extends Tensor[]>(
    fn: (...args: Args) => Tensor,
    reads: () => readonly Tensor[] = () => [],
  ): (...args: Args) => Tensor {
    return traced(this, fn, reads);
  }

  seen({ dataId, shape, dtype }: TensorInfo): Seen {
    return { entry: this.data.get(dataId), shape, dtype };
  }

  watch(fn: () => Tensor): { readonly output: Tensor; readonly watched: Watched } {
    this.flush();
    const { runner } = this;
    const outer = runner.watched;
    if (outer !== undefined) outer.usedValues = true;
    const watched: Watched = { started: [], usedValues: false };
    runner.watched = watched;
    try {
      const output = tidy(fn);
      this.flush();
      return { output, watched };
    } finally {
      runner.watched = outer;
    }
  }

  replay(trace: Trace, args: readonly Seen[], reads: readonly Seen[]): TensorInfo | undefined {
    this.flush();
    const entry = this.runner.replay(trace, args, reads);
    return entry && this.expose(entry, trace.result.shape, trace.result.dtype);
  }
}

function inferOrNull(
  rule: Rule<never>,
  inputs: Readonly<Record<string, TensorInfo>>,
  attrs: unknown,
  hasFallback: boolean,
): readonly TensorType[] | null {
  for (const name in inputs) if (!isCompiled(inputs[name].dtype) || sizeOf(inputs[name].shape) === 0) return null;
  if (!hasFallback) return rule.infer(inputs, attrs as never);
  try {
    return rule.infer(inputs, attrs as never);
  } catch {
    return null; // wrong arguments: the cpu kernel says so in its own words
  }
}

/** The one value of a long array, if there is just one, 0 or 1. */
function uniformValue(values: HostValues): 0 | 1 | undefined {
  if (values.length < UNIFORM_FROM) return undefined;
  const [first] = values;
  if (first !== 0 && first !== 1) return undefined;
  for (let i = 1; i < values.length; i++) if (values[i] !== first || Object.is(values[i], -0)) return undefined;
  return first;
}

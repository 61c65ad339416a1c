/**
 * The TF.js backend: data ids stand for values on the host, in Wasm memory, or still to be computed.
 * Kernels are recorded; a program runs when a value is read, or at the end of the current turn of the event loop.
 */

import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import {
  type BackendTimingInfo,
  type BackendValues,
  DataStorage,
  type DataType,
  KernelBackend,
  type KernelFunc,
  Tensor,
  type TensorInfo,
  engine as tfEngine,
  tidy,
  util,
} from '@tensorflow/tfjs-core';
import type { DataId } from '@tensorflow/tfjs-core/dist/tensor_info.js';
import { compile } from './compile.ts';
import { Device, type Started } from './device.ts';
import { Direct } from './direct/direct.ts';
import { sizeOf } from './graph/shape.ts';
import { outOfMemory } from './memory/out-of-memory.ts';
import { type Guess, HeadStarts, isRight } from './record/head-start.ts';
import {
  type DeviceBuffer,
  type Entry,
  type Node,
  namedInputs,
  type Recording,
  takeRecording,
} from './record/recording.ts';
import { type CompiledType, isCompiled, type Rule, type TensorType } from './record/rule.ts';
import { type Constant, constantsOf, leavesOf, type Seen, type Trace, type Watched } from './record/trace.ts';
import { type Tracer, traced } from './record/traced.ts';
import type { Engine, HostValues, Loaded } from './runtime/engine.ts';
import { HeapFull } from './runtime/heap.ts';

/** A recording longer than this runs without waiting for the turn's end: a loop that never yields must not pile up. */
const MAX_PENDING = 50_000;
/** Arrays at least so long are looked at on `write`: `tf.ones` and `tf.zeros` need no memory and no copy. */
const UNIFORM_FROM = 1024;
/** How the host holds what compiled code holds in four bytes. */
const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;
/** Compiled programs that are kept. */
const MAX_PROGRAMS = 512;

/** Some kernels take lists under one name. */
type GivenInput = TensorInfo | readonly TensorInfo[] | null | undefined;

export class JitBackend extends KernelBackend implements Tracer {
  readonly engine: Engine;
  private readonly cpu: MathBackendCPU;
  private readonly data: DataStorage<Entry>;
  private readonly device: Device;
  private readonly programs = new Map<string, Loaded>();
  private readonly fillRule: Rule<never>;
  private readonly headStarts = new HeadStarts();
  /** Undefined where every program is to be compiled. */
  private readonly direct: Direct | undefined;
  /** The run that was started when the first operation of what is pending was recorded. */
  private early: { readonly guess: Guess; readonly started: Started } | undefined;
  /** Of the function that is being traced. */
  private watched: Watched | undefined;
  private pending: Node[] = [];
  private flushScheduled = false;

  /** @param compileAlways small new programs too, which else are run step by step */
  constructor(engine: Engine, fillRule: Rule<never>, compileAlways: boolean) {
    super();
    this.engine = engine;
    this.fillRule = fillRule;
    this.cpu = new MathBackendCPU();
    (this.cpu as unknown as { firstUse: boolean }).firstUse = false; // no advice about tfjs-node
    this.data = new DataStorage(this, tfEngine());
    this.device = new Device(engine, (entry) => this.uploadable(entry));
    this.direct = compileAlways ? undefined : new Direct(engine);
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
    if (uniform === 0 || uniform === 1) {
      const attrs = { shape, value: uniform, dtype };
      const types = this.fillRule.infer({}, attrs as never);
      if (types === null) throw new Error('internal: a fill has no type');
      const [entry] = this.record('Fill', this.fillRule, {}, attrs, types);
      entry.refCount = refCount;
      this.data.set(dataId, entry);
      return;
    }
    const device = dtype === 'float32' && values instanceof Float32Array ? this.device.write(values) : undefined;
    if (device !== undefined) {
      const entry = newEntry(dtype, values.length);
      this.data.set(dataId, { ...entry, device, refCount });
      return;
    }
    // A copy: what was recorded runs later, and the caller may have put other values into its array by then.
    const own = isCompiled(dtype) && values !== null ? new ARRAYS[dtype](values as HostValues) : values;
    this.data.set(dataId, {
      ...this.hostEntry(this.cpu.write(own, shape, dtype), dtype, util.sizeFromShape(shape)),
      refCount,
    });
  }

  override disposeData(dataId: DataId, force = false): boolean {
    if (!this.data.has(dataId)) return true;
    const entry = this.data.get(dataId);
    entry.refCount--;
    if (!force && entry.refCount > 0) return false;
    entry.refCount = 0;
    this.data.delete(dataId);
    if (entry.readers === 0) this.release(entry);
    return true;
  }

  /** The value of a data id, without waiting: for kernels of the cpu backend, which read `backend.data`. */
  override async read(dataId: DataId): Promise<BackendValues> {
    this.noteUse();
    const entry = this.data.get(dataId);
    this.materialise(entry);
    if (entry.device !== undefined && entry.host === undefined) {
      const { device } = entry;
      device.refs++; // whoever disposes of the tensor meanwhile does not take its memory
      try {
        await this.engine.done(device.run);
        return this.download(device, entry);
      } finally {
        this.device.release(device);
      }
    }
    return this.cpu.read(this.hostId(entry));
  }

  override readSync(dataId: DataId): BackendValues {
    this.noteUse();
    const entry = this.data.get(dataId);
    this.materialise(entry);
    if (entry.device !== undefined && entry.host === undefined) {
      this.engine.doneSync(entry.device.run);
      return this.download(entry.device, entry);
    }
    return this.cpu.readSync(this.hostId(entry));
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
    return { unreliable: false, wasmBytes: this.device.bytesInUse, wasmPeakBytes: heap.peak };
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

  // ── recording ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes the kernel function that records `kernel`, or runs the cpu kernel where the rule does not apply. */
  recorder(kernel: string, rule: Rule<never>, cpuKernel: KernelFunc | undefined): KernelFunc {
    return ({ inputs, attrs }) => {
      const named = namedInputs(inputs);
      const types = inferOrNull(rule, named, attrs, cpuKernel !== undefined);
      if (types === null || types.length === 0 || types.some(({ shape }) => sizeOf(shape) === 0)) {
        if (cpuKernel === undefined) throw new Error(`${kernel}: float32 tensors that are not empty are needed`);
        return this.runOnCpu(cpuKernel, inputs as Record<string, TensorInfo>, attrs);
      }
      const entries = this.record(kernel, rule, named, attrs, types);
      const outputs = entries.map((entry, i) => this.expose(entry, types[i].shape, types[i].dtype));
      return rule.list ? outputs : outputs[0];
    };
  }

  /** A constant of any value: recorded with the value as a runtime input. */
  fill(shape: number[], value: number, dtype: DataType, cpuKernel: KernelFunc): TensorInfo {
    const attrs = { shape, value, dtype };
    const small = sizeOf(shape) < UNIFORM_FROM || !isCompiled(dtype);
    if (small) return this.runOnCpu(cpuKernel, {}, attrs) as TensorInfo;
    const scalar = this.hostEntry(this.cpu.write(hostArray(dtype, value), [], dtype), dtype, 1);
    scalar.refCount = 0;
    const types = [{ shape, dtype }] as TensorType[];
    const node = this.makeNode(
      'Fill',
      this.fillRule,
      ['value'],
      [{ entry: scalar, shape: [], dtype }],
      { shape, dtype },
      types,
    );
    return this.expose(node.outputs[0], shape, dtype);
  }

  /** Runs a kernel of the cpu backend on host values, at once. */
  runOnCpu(
    kernel: KernelFunc,
    inputs: Readonly<Record<string, GivenInput>>,
    attrs: unknown,
  ): TensorInfo | TensorInfo[] {
    const give = (given: GivenInput): GivenInput => {
      if (given === null || given === undefined) return given;
      return 'dataId' in given ? this.onHost(given) : given.map((info) => this.onHost(info));
    };
    const given = Array.isArray(inputs)
      ? inputs.map(give)
      : Object.fromEntries(Object.entries(inputs).map(([name, info]) => [name, give(info)]));
    const result = kernel({ inputs: given as never, backend: this.cpu, attrs: attrs as never });
    return Array.isArray(result) ? result.map((info) => this.adopt(info)) : this.adopt(result);
  }

  /** The values of a data id if they are on the host already. */
  hostValues(dataId: DataId): HostValues | undefined {
    this.noteUse();
    const { host } = this.data.get(dataId);
    return host === undefined ? undefined : (this.cpu.readSync(host) as HostValues);
  }

  /** Takes over what a cpu kernel made. Some return tensors that the engine disposes of: these are copied. */
  private adopt(info: TensorInfo): TensorInfo {
    const { shape, dtype } = info;
    const host = info instanceof Tensor ? this.cpu.write(this.cpu.readSync(info.dataId), shape, dtype) : info.dataId;
    return this.expose(this.hostEntry(host, dtype, util.sizeFromShape(shape)), shape, dtype);
  }

  /** The same data under another shape. */
  alias(info: TensorInfo, shape: readonly number[]): TensorInfo {
    this.incRef(info.dataId);
    return { dataId: info.dataId, shape: [...shape], dtype: info.dtype };
  }

  private record(
    kernel: string,
    rule: Rule<never>,
    named: Readonly<Record<string, TensorInfo>>,
    attrs: unknown,
    types: readonly TensorType[],
  ): readonly Entry[] {
    const inputs = Object.values(named).map(({ dataId, shape, dtype }) => ({
      entry: this.data.get(dataId),
      shape,
      dtype,
    }));
    return this.makeNode(kernel, rule, Object.keys(named), inputs, attrs, types).outputs;
  }

  private makeNode(
    kernel: string,
    rule: Rule<never>,
    names: readonly string[],
    inputs: Node['inputs'],
    attrs: unknown,
    types: readonly TensorType[],
  ): Node {
    const outputs = types.map(({ shape, dtype }, output) => newEntry(dtype, sizeOf(shape), { output }));
    const node: Node = { kernel, rule, names, inputs, attrs, types, outputs };
    const failure = inputs.find(({ entry }) => entry.failure !== undefined)?.entry.failure;
    if (failure !== undefined) {
      for (const entry of outputs) entry.failure = failure;
      return node;
    }
    for (const entry of outputs) entry.node = node;
    for (const { entry } of inputs) entry.readers++;
    this.pending.push(node);
    if (this.pending.length === 1) this.startEarly(node);
    if (this.pending.length >= MAX_PENDING) this.flush();
    else if (!this.flushScheduled) {
      this.flushScheduled = true;
      queueMicrotask(() => {
        this.flushScheduled = false;
        this.flush();
      });
    }
    return node;
  }

  private expose(entry: Entry, shape: readonly number[], dtype: DataType): TensorInfo {
    const dataId = {};
    this.data.set(dataId, entry);
    return { dataId, shape: [...shape], dtype };
  }

  private hostEntry(host: DataId, dtype: DataType, size: number): Entry {
    return newEntry(dtype, size, { host });
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
    const outer = this.watched;
    if (outer !== undefined) outer.usedValues = true;
    const watched: Watched = { started: [], usedValues: false };
    this.watched = watched;
    try {
      const output = tidy(fn);
      this.flush();
      return { output, watched };
    } finally {
      this.watched = outer;
    }
  }

  replay(trace: Trace, args: readonly Seen[], reads: readonly Seen[]): TensorInfo | undefined {
    const { key, program, result } = trace;
    if (this.programs.get(key) !== program) return undefined;
    this.flush();
    const [given, read] = [args, reads].map((values) => values.map(({ entry }) => entry));
    if ([...given, ...read].some(({ failure }) => failure !== undefined)) return undefined;
    const made: Entry[] = [];
    const leaves = leavesOf(trace, { arguments: given, reads: read }, (constant) => {
      const entry = this.constantEntry(constant);
      made.push(entry);
      return entry;
    });
    if (leaves === undefined) return undefined;
    let started: Started;
    try {
      started = this.device.begin(leaves, program);
    } catch {
      return undefined; // too little memory: what is recorded says so in full
    } finally {
      for (const entry of made) this.release(entry);
    }
    this.programs.delete(key);
    this.programs.set(key, program); // the latest used
    const output = newEntry(result.dtype, sizeOf(result.shape));
    this.device.handOut({ leaves, outputs: [output] }, program, started);
    return this.expose(output, result.shape, result.dtype);
  }

  private constantEntry({ dtype, values }: Constant): Entry {
    const numbers = ARRAYS[dtype as CompiledType].from(values);
    return this.hostEntry(this.cpu.write(numbers, [values.length], dtype), dtype, values.length);
  }

  private noteUse(): void {
    if (this.watched !== undefined) this.watched.usedValues = true;
  }

  private noteStart(recording: Recording, program: Loaded): void {
    const valuesOf = (entry: Entry) => this.cpu.readSync(this.hostId(entry)) as HostValues;
    this.watched?.started.push([recording, program, constantsOf(recording, valuesOf)]);
  }

  // ── running ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Starts everything that was recorded and is still needed. Failures wait in the entries for whoever reads them. */
  flush(): void {
    const nodes = this.pending;
    if (nodes.length === 0) return;
    this.pending = [];
    const { early } = this;
    this.early = undefined;
    const recording = takeRecording(nodes);
    try {
      if (recording.outputs.length > 0) this.start(recording, early);
      else if (early !== undefined) this.device.drop(early.started);
    } catch (error) {
      for (const entry of recording.outputs) entry.failure = error instanceof Error ? error : new Error(String(error));
    }
    for (const node of nodes) {
      for (const { entry } of node.inputs) {
        entry.readers--;
        if (entry.refCount === 0 && entry.readers === 0) this.release(entry);
      }
      for (const entry of node.outputs) entry.node = undefined;
    }
  }

  /** Starts the program that `node` is likely to begin, if the threads have nothing else to do. */
  private startEarly(node: Node): void {
    const guess = this.engine.isBusy ? undefined : this.headStarts.guess(node);
    if (guess === undefined) return;
    try {
      this.early = { guess, started: this.device.begin(guess.leaves, guess.program) };
    } catch {
      // Too little memory: whoever reads the result hears of it, with what was recorded until then.
    }
  }

  private start(recording: Recording, early: JitBackend['early']): void {
    const { engine } = this;
    const { key, leaves } = recording;
    let program = this.programs.get(key);
    if (early !== undefined && program === early.guess.program && isRight(early.guess, key, leaves)) {
      this.noteStart(recording, program);
      this.device.handOut(recording, program, early.started);
      return;
    }
    if (early !== undefined) this.device.drop(early.started);
    if (program === undefined && this.runDirectly(recording)) return;
    try {
      if (program === undefined) {
        const compiled = compile(recording, engine.features);
        this.device.reserve(compiled);
        program = engine.load(compiled);
      } else this.programs.delete(key); // put back below as the latest used
      this.programs.set(key, program);
      if (this.programs.size > MAX_PROGRAMS) this.forgetOldest();
      this.noteStart(recording, program);
      this.device.handOut(recording, program, this.device.begin(leaves, program));
    } catch (error) {
      if (error instanceof HeapFull) throw outOfMemory(error, recording, program?.compiled, engine.heap);
      throw error;
    }
    this.headStarts.learn(recording, program, early !== undefined);
  }

  /** Runs a small new program at once, step by step; false where it is to be compiled. */
  private runDirectly(recording: Recording): boolean {
    if (this.watched !== undefined) return false; // a trace is of a compiled program
    const results = this.direct?.run(recording, (entry) => this.uploadable(entry));
    if (results === undefined) return false;
    recording.outputs.forEach((entry, i) => {
      entry.host = this.cpu.write(results[i], [entry.size], entry.dtype);
    });
    return true;
  }

  private forgetOldest(): void {
    const oldest = this.programs.entries().next();
    if (oldest.done) return;
    const [key, program] = oldest.value;
    if (!this.engine.isDone(program.lastRun)) return;
    this.programs.delete(key);
    this.headStarts.forget(program);
    this.engine.forget(program);
  }

  /** Makes sure that an entry's value exists or is on its way. */
  private materialise(entry: Entry): void {
    if (entry.node !== undefined) this.flush();
    if (entry.failure) throw entry.failure;
  }

  /** An input for a cpu kernel: its value is on the host. */
  private onHost(info: TensorInfo): TensorInfo {
    this.noteUse();
    const entry = this.data.get(info.dataId);
    this.materialise(entry);
    if (entry.host === undefined) {
      if (entry.device === undefined) throw new Error('internal: a value is nowhere');
      this.engine.doneSync(entry.device.run);
      entry.host = this.cpu.write(this.download(entry.device, entry), [entry.size], entry.dtype);
    }
    // Derived from the tensor itself: some cpu kernels ask for its rank or size.
    return Object.create(info, { dataId: { value: entry.host } }) as TensorInfo;
  }

  /** The values in the array of their type: some cpu kernels leave the integers that were cast to floats as they are. */
  private uploadable(entry: Entry): HostValues {
    const values = this.cpu.readSync(this.hostId(entry)) as HostValues;
    const Type = ARRAYS[entry.dtype as CompiledType];
    return values instanceof Type ? values : new Type(values);
  }

  private hostId(entry: Entry): DataId {
    if (entry.host === undefined) throw new Error('internal: a value is not on the host');
    return entry.host;
  }

  private download(device: DeviceBuffer, { size, dtype }: Entry): HostValues {
    const { heap } = this.engine;
    const at = device.address / 4;
    if (dtype === 'float32') return heap.f32.slice(at, at + size);
    const values = heap.i32.slice(at, at + size);
    return dtype === 'bool' ? Uint8Array.from(values) : values;
  }

  private release(entry: Entry): void {
    if (entry.host !== undefined) {
      this.cpu.disposeData(entry.host);
      entry.host = undefined;
    }
    if (entry.device !== undefined) {
      this.device.release(entry.device);
      entry.device = undefined;
    }
  }
}

function newEntry(dtype: DataType, size: number, of: Partial<Pick<Entry, 'host' | 'output'>> = {}): Entry {
  const { host, output = 0 } = of;
  return {
    refCount: 1,
    dtype,
    size,
    host,
    device: undefined,
    node: undefined,
    output,
    readers: 0,
    failure: undefined,
  };
}

function inferOrNull(
  rule: Rule<never>,
  inputs: Readonly<Record<string, TensorInfo>>,
  attrs: unknown,
  hasFallback: boolean,
): readonly TensorType[] | null {
  for (const { dtype, shape } of Object.values(inputs)) if (!isCompiled(dtype) || sizeOf(shape) === 0) return null;
  if (!hasFallback) return rule.infer(inputs, attrs as never);
  try {
    return rule.infer(inputs, attrs as never);
  } catch {
    return null; // wrong arguments: the cpu kernel says so in its own words
  }
}

/** The one value of a long array, if there is just one. */
function uniformValue(values: HostValues): number | undefined {
  if (values.length < UNIFORM_FROM) return undefined;
  const [first] = values;
  if (first !== 0 && first !== 1) return undefined;
  for (let i = 1; i < values.length; i++) if (values[i] !== first || Object.is(values[i], -0)) return undefined;
  return first;
}

function hostArray(dtype: DataType, value: number): HostValues {
  return ARRAYS[dtype as CompiledType].of(value);
}

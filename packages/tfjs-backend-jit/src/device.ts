/**
 * Values in Wasm memory: programs are started on them and given new memory for what they make, and memory goes back when
 * nobody holds it any more. What programs keep of their inputs alone hangs on these inputs.
 */
import type { Compiled } from './compile.ts';
import type { Kept } from './memory/plan.ts';
import type { DeviceBuffer, Entry, KeptBuffers, Recording } from './record/recording.ts';
import type { Engine, HostValues, Loaded, Upload } from './runtime/engine.ts';
import { HeapFull } from './runtime/heap.ts';
import { Spares } from './runtime/spares.ts';

/** Values at least so large are written into Wasm memory at once, and need no copy of their own until they are used. */
const DIRECT_BYTES = 256 * 1024;

/** A run that was queued, and the new memory that it fills. */
export interface Started {
  readonly run: number;
  readonly fresh: readonly DeviceBuffer[];
}

export class Device {
  private readonly engine: Engine;
  private readonly valuesOf: (entry: Entry) => HostValues;
  private readonly spares: Spares;

  /** @param valuesOf of an entry that is on the host only */
  constructor(engine: Engine, valuesOf: (entry: Entry) => HostValues) {
    this.engine = engine;
    this.valuesOf = valuesOf;
    this.spares = new Spares(engine.heap);
  }

  /**
   * Writes values into Wasm memory, where they are many and there is memory that no program uses just now; else undefined.
   * A copy on the host would be garbage after its run: at batches of 16 images of 224 × 224 its collection took two
   * threads a tenth of an inference.
   */
  write(values: Float32Array): DeviceBuffer | undefined {
    const { engine } = this;
    const bytes = values.byteLength;
    if (bytes < DIRECT_BYTES) return undefined;
    let address = this.spares.take(bytes, (run) => engine.isDone(run));
    if (address === undefined) {
      if (!engine.isIdle) return undefined;
      try {
        address = engine.heap.alloc(bytes);
      } catch {
        return undefined; // whoever computes with it hears what is missing
      }
    }
    engine.heap.f32.set(values, address / 4);
    return { address, bytes, refs: 1, run: 0, isInput: true };
  }

  /** Bytes of tensors, of programs, and of what they keep. */
  get bytesInUse(): number {
    return this.engine.heap.used - this.spares.bytes;
  }

  /** Makes sure of a program's arena and scratch. Throws `HeapFull`. */
  reserve({ arenaBytes, scratchBytes }: Compiled): void {
    this.withSpares(() => this.engine.reserve(arenaBytes, scratchBytes));
  }

  /** Queues a run of a program on what its leaves hold, with new memory for its results. */
  begin(entries: readonly Entry[], program: Loaded): Started {
    const { engine } = this;
    const { compiled } = program;
    this.reserve(compiled);
    const hosts = entries.filter((entry) => entry.device === undefined);
    const sizes = [...hosts.map((entry) => entry.size * 4), ...compiled.fresh];
    const buffers = this.withSpares(() => engine.heap.allocAll(sizes)).map((address, i): DeviceBuffer => {
      const bytes = sizes[i];
      return { address, bytes, refs: 0, run: 0, isInput: i < hosts.length && bytes >= DIRECT_BYTES };
    });
    const leaves = entries.map((entry) => entry.device ?? buffers[hosts.indexOf(entry)]);
    let kept: KeptBuffers[];
    try {
      kept = compiled.kept.map((k) => this.keptBuffers(k, leaves));
    } catch (error) {
      for (const device of buffers) this.release({ ...device, refs: 1 });
      throw error;
    }
    const fresh = buffers.splice(hosts.length);
    const uploads = hosts.map((entry, i): Upload => {
      entry.device = buffers[i];
      entry.device.refs = 1;
      return { buffer: buffers[i], values: this.valuesOf(entry) };
    });
    const pointers = [...leaves, ...fresh].map(({ address }) => address);
    kept.forEach(({ addresses }, i) => {
      compiled.kept[i].places.forEach(({ slot }, j) => {
        pointers[slot] = addresses[j];
      });
    });
    const skip = compiled.kept.filter((_, i) => isFresh(kept[i])).map(({ launch }) => launch);
    const run = engine.run(program, pointers, uploads, skip);
    for (const { buffer } of uploads) buffer.run = run;
    for (const buffers of kept) buffers.stamps = buffers.sources.map((source) => source.run);
    return { run, fresh };
  }

  /** Gives the recording's outputs what the run computes for them. */
  handOut(
    { leaves, outputs }: Pick<Recording, 'leaves' | 'outputs'>,
    { compiled }: Loaded,
    { run, fresh }: Started,
  ): void {
    compiled.outputs.forEach((place, i) => {
      const device = place.kind === 'fresh' ? fresh[place.slot - leaves.length] : leaves[place.input].device;
      if (device === undefined) throw new Error('internal: an output has no memory');
      if (place.kind === 'donated') this.forgetKept(device);
      device.refs++;
      device.run = run;
      outputs[i].device = device;
    });
  }

  /** Nobody wants the results of a run. Its memory may be given to later ones: they wait for it. */
  drop({ fresh }: Started): void {
    for (const device of fresh) this.release({ ...device, refs: 1 });
  }

  /** The memory of what a program keeps: found, or made. */
  private keptBuffers({ key, sources, places }: Kept, leaves: readonly DeviceBuffer[]): KeptBuffers {
    const devices = sources.map((input) => leaves[input]);
    const [first] = devices;
    const name = `${key} of ${devices.map(({ address }) => address)}`;
    const found = first.kept?.get(name);
    if (found !== undefined && devices.every((device, i) => device === found.sources[i])) return found;
    const addresses = found?.addresses ?? this.engine.heap.allocAll(places.map(({ bytes }) => bytes));
    const made: KeptBuffers = { addresses, sources: devices, stamps: [] };
    first.kept = (first.kept ?? new Map<string, KeptBuffers>()).set(name, made);
    return made;
  }

  /** The memory's contents change, or it goes: so does what was made of them. */
  private forgetKept(device: DeviceBuffer): void {
    for (const { addresses } of device.kept?.values() ?? []) for (const a of addresses) this.engine.heap.release(a);
    delete device.kept;
  }

  /** One holder less. */
  release(device: DeviceBuffer): void {
    device.refs--;
    if (device.refs > 0) return;
    this.forgetKept(device);
    const { address, bytes, isInput } = device;
    if (isInput) this.spares.put({ address, bytes, run: this.engine.lastRun });
    else this.engine.heap.release(address);
  }

  /** Tries once more without the spare memory, where the heap is full. */
  private withSpares<T>(allocate: () => T): T {
    try {
      return allocate();
    } catch (error) {
      if (error instanceof HeapFull && this.spares.release()) return allocate();
      throw error;
    }
  }
}

/** Whether what is kept was made of its sources as they are. */
const isFresh = ({ sources, stamps }: KeptBuffers): boolean =>
  stamps.length > 0 && sources.every((source, i) => source.run === stamps[i]);

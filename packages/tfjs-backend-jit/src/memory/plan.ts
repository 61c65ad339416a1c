/**
 * Where every value lies while a program runs: inputs and outputs at addresses given with each run,
 * everything between in one arena, in place where an operation allows it.
 */
import { storageOf, type Value } from '../graph/graph.ts';
import { sizeOf } from '../graph/shape.ts';
import type { Kernel, Ref } from '../kernels/kernel.ts';
import type { Launch, Pointer } from '../runtime/program.ts';
import type { Task } from '../schedule/schedule.ts';
import { overlaps } from './overlaps.ts';

/** Where an output is found after a run. */
export type OutputPlace =
  /** In new memory, allocated before the run and passed in this slot of the pointer table. */
  | { readonly kind: 'fresh'; readonly slot: number }
  /** In the memory of an input that nobody needs afterwards. */
  | { readonly kind: 'donated'; readonly input: number }
  /** It is an input, unchanged. */
  | { readonly kind: 'input'; readonly input: number };

export interface Plan {
  readonly launches: readonly Launch[];
  /** Pointer table: one slot for each input, then one for each fresh output, then one for each thing kept. */
  readonly slots: number;
  readonly outputs: readonly OutputPlace[];
  /** Bytes of each fresh output, by slot − inputs. */
  readonly fresh: readonly number[];
  readonly arenaBytes: number;
  readonly scratchBytes: number;
  readonly kept: readonly Kept[];
  /** Some launch writes where an input lies that nobody needs afterwards. */
  readonly writesInputs: boolean;
}

/** What a launch makes of steady inputs alone: it stays in memory, and the launch runs again only if they change. */
export interface Kept {
  readonly launch: number;
  /** The inputs that it is made of. */
  readonly sources: readonly number[];
  /** Its places in the pointer table, and how large each is. */
  readonly places: readonly { readonly slot: number; readonly bytes: number }[];
  /** Equal keys of equal sources mean equal bytes, in every program. */
  readonly key: string;
}

/** A stretch of memory that one value, or several in turn, occupy. */
interface Storage {
  readonly bytes: number;
  first: number;
  last: number;
  /** Set for inputs. */
  input: number | undefined;
  /** True if an output ends up here. */
  output: boolean;
  /** True if it lives on after the run. */
  kept: boolean;
  offset: number;
}

const ALIGN = 128;
/** Bytes between neighbours in the arena, so that planes of equal power-of-two size do not alias in the L1 cache. */
const STAGGER = 128;

/** `donatable` tells for each input whether its memory may be overwritten; `inputBytes` how large it is. */
export function planMemory(
  tasks: readonly Task[],
  inputs: readonly Value[],
  outputs: readonly Value[],
  donatable: readonly boolean[],
): Plan {
  const steps: { kernel: Kernel; storages: (() => Storage)[]; writes: readonly boolean[] }[] = [];
  const storages = new Map<Value, Storage>();
  const merged = new Map<Storage, Storage>();
  const find = (storage: Storage): Storage => {
    const into = merged.get(storage);
    return into === undefined ? storage : find(into);
  };
  const make = (bytes: number, input?: number): Storage => ({
    bytes: Math.ceil(bytes / ALIGN) * ALIGN,
    first: Number.POSITIVE_INFINITY,
    last: -1,
    input,
    output: false,
    kept: false,
    offset: -1,
  });
  const storageFor = (value: Value): Storage => {
    let storage = storages.get(value);
    if (storage === undefined) {
      storage = make(sizeOf(value.shape) * 4);
      storages.set(value, storage);
    }
    return storage;
  };
  inputs.forEach((value, index) => {
    storages.set(value, { ...make(sizeOf(value.shape) * 4, index), first: -1 });
  });

  const inPlace: { step: number; from: Storage; to: Storage }[] = [];
  const keeping: { launch: number; key: string; sources: number[]; storages: Storage[] }[] = [];
  const all: Storage[] = [];
  for (const task of tasks) {
    const temps = task.recipe.temps.map((bytes) => make(bytes));
    all.push(...temps);
    const resolve = (ref: Ref): Storage => {
      if (ref.kind === 'temp') return temps[ref.index];
      return storageFor((ref.kind === 'input' ? task.inputs : task.outputs)[ref.index]);
    };
    for (const { kernel, args, keep } of task.recipe.steps) {
      const at = steps.length;
      const used = args.map(resolve);
      if (keep) {
        const [read, written] = [args.filter((a) => a.kind === 'input'), args.filter((a) => a.kind !== 'input')];
        const sources = read.map((ref) => resolve(ref).input ?? -1);
        const targets = written.map(resolve);
        for (const storage of targets) storage.kept = true;
        keeping.push({ launch: at, key: kernel.key, sources, storages: targets });
      }
      for (const storage of used) {
        storage.first = Math.min(storage.first, at);
        storage.last = Math.max(storage.last, at);
      }
      const writes = args.map(({ kind }) => kind !== 'input');
      steps.push({ kernel, storages: used.map((storage) => () => find(storage)), writes });
    }
    for (const [output, input] of task.inPlace) {
      inPlace.push({
        step: steps.length - 1,
        from: storageFor(task.inputs[input]),
        to: storageFor(task.outputs[output]),
      });
    }
  }
  const outputStorages = outputs.map((value) => storageFor(storageOf(value)));
  for (const storage of outputStorages) {
    storage.output = true;
    storage.last = Number.POSITIVE_INFINITY;
  }

  const mayOverwrite = (storage: Storage) =>
    storage.input === undefined ? !storage.output && !storage.kept : donatable[storage.input] && !storage.output;
  const unite = (from: Storage, to: Storage) => {
    merged.set(to, from);
    from.last = to.last;
    from.output = to.output;
  };
  // Outputs choose first: what they take is memory that need not be allocated for the next run.
  for (const { step, from: a, to: b } of inPlace.sort((p, q) => Number(q.to.output) - Number(p.to.output))) {
    const from = find(a);
    const to = find(b);
    if (from === to || to !== b || from.bytes !== to.bytes || to.input !== undefined || to.kept) continue;
    if (to.first !== step || from.last !== step || !mayOverwrite(from)) continue;
    unite(from, to);
  }
  // Outputs that could not be computed in place still may move into inputs that died before them.
  const free = inputs.map((value) => find(storageFor(value))).filter((s) => mayOverwrite(s) && !s.output);
  for (const storage of outputStorages) {
    const to = find(storage);
    if (to.input !== undefined || !to.output) continue;
    const from = free.find((s) => !s.output && s.bytes === to.bytes && s.last < to.first && find(s) === s);
    if (from !== undefined) unite(from, to);
  }

  const inArena = new Set<Storage>();
  for (const storage of [...storages.values(), ...all]) {
    const root = find(storage);
    if (root.input === undefined && !root.output && !root.kept && root.last >= 0) inArena.add(root);
  }
  const arenaBytes = placeInArena([...inArena]);

  const slotOf = new Map<Storage, number>();
  const fresh: number[] = [];
  const outputPlaces = outputStorages.map((storage): OutputPlace => {
    const root = find(storage);
    if (root.input !== undefined) {
      return { kind: root === storage ? 'input' : 'donated', input: root.input };
    }
    let slot = slotOf.get(root);
    if (slot === undefined) {
      slot = inputs.length + fresh.length;
      fresh.push(root.bytes);
      slotOf.set(root, slot);
    }
    return { kind: 'fresh', slot };
  });
  let slots = inputs.length + fresh.length;
  const kept = keeping.map(({ storages: made, ...rest }): Kept => {
    const places = made.map((storage) => {
      slotOf.set(storage, slots);
      return { slot: slots++, bytes: storage.bytes };
    });
    return { ...rest, places };
  });
  const pointer = (storage: Storage): Pointer => {
    if (storage.input !== undefined) return { kind: 'external', slot: storage.input };
    const slot = slotOf.get(storage);
    return slot === undefined ? { kind: 'arena', offset: storage.offset } : { kind: 'external', slot };
  };
  const launches = steps.map(({ kernel, storages: used }) => ({
    kernel,
    pointers: used.map((storage) => pointer(storage())),
  }));
  const touches = steps.map(({ storages: used, writes }, i) =>
    used.map((storage, j) => ({ pointer: launches[i].pointers[j], bytes: storage().bytes, writes: writes[j] })),
  );
  const overlap = overlaps(touches);
  const writesInputs = touches
    .flat()
    .some(({ pointer, writes }) => writes && pointer.kind === 'external' && pointer.slot < inputs.length);
  return {
    launches: launches.map((launch, i) => ({ ...launch, overlaps: overlap[i] })),
    slots,
    kept,
    writesInputs,
    outputs: outputPlaces,
    fresh,
    arenaBytes,
    scratchBytes: Math.max(0, ...steps.map(({ kernel }) => Math.ceil(kernel.scratch / ALIGN) * ALIGN)),
  };
}

/** Greedy by size: each storage takes the lowest gap that is free during its whole life. Returns the arena's size. */
function placeInArena(storages: Storage[]): number {
  const placed: Storage[] = [];
  let top = 0;
  for (const storage of storages.sort((a, b) => b.bytes - a.bytes || a.first - b.first)) {
    let at = 0;
    for (const other of placed) {
      // `placed` is sorted by offset.
      if (other.last < storage.first || other.first > storage.last) continue;
      if (other.offset - at >= storage.bytes + STAGGER) break;
      at = Math.max(at, other.offset + other.bytes + STAGGER);
    }
    storage.offset = at;
    top = Math.max(top, at + storage.bytes);
    const index = placed.findIndex((other) => other.offset > at);
    placed.splice(index < 0 ? placed.length : index, 0, storage);
  }
  return top;
}

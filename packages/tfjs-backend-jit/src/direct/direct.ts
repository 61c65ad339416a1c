/**
 * Small programs are run step by step while they are new: to compile one takes a millisecond, ordinary TF.js code does
 * a few operations on a few numbers and may have other shapes each time. When the runs of one together would have paid
 * for its compilation, it is compiled; where a run takes less than a compiled program's start, it never is. Both ways
 * give the same bits, so that nobody can tell which one was taken.
 */
import { lower, steadyInputs } from '../compile.ts';
import { liveValues, type Value } from '../graph/graph.ts';
import { sizeOf } from '../graph/shape.ts';
import { runPasses } from '../passes/passes.ts';
import type { Entry, Recording } from '../record/recording.ts';
import { DESK, DESK_BYTES } from '../runtime/control.ts';
import type { Engine, HostValues } from '../runtime/engine.ts';
import { Code } from './code.ts';
import { type DirectPlan, planDirect } from './plan.ts';

/** Recordings of more operations, or of more elements, are compiled at once. */
const MOST_NODES = 1000;
const MOST_ELEMENTS = 65_536;
/** Microseconds to start a compiled program and to fetch its results: 20 on the caller's thread, 100 on the pool. */
const START = 60;
/** Microseconds to compile a program, and for each of its values. */
const COMPILE = 200;
const COMPILE_VALUE = 100;
/** Plans that are kept. */
const MAX_PLANS = 512;

interface Known {
  readonly plan: DirectPlan;
  /** Microseconds that its compilation may take, less what its runs took. */
  left: number;
}

export class Direct {
  private readonly engine: Engine;
  private readonly code: Code;
  private readonly plans = new Map<string, Known>();

  constructor(engine: Engine) {
    this.engine = engine;
    this.code = new Code(engine.heap.memory, engine.features);
  }

  /**
   * Runs a recording; the values of its outputs, in order. Undefined where it is to be compiled, or where something that
   * it reads is still being computed: it would have to wait.
   *
   * @param valuesOf of an entry that is on the host
   */
  run(recording: Recording, valuesOf: (entry: Entry) => HostValues): readonly HostValues[] | undefined {
    const { key, leaves, outputs } = recording;
    for (const leaf of leaves) {
      if (!isOnHost(leaf) && !(leaf.device && this.engine.isDone(leaf.device.run))) return undefined;
    }
    const known = this.plans.get(key) ?? this.learn(recording);
    if (known === undefined) return undefined;
    const { plan } = known;
    if (plan.time > START) {
      known.left -= plan.time;
      if (known.left < 0) {
        this.plans.delete(key);
        return undefined;
      }
    }
    const { heap } = this.engine;
    const { i32: words, f32 } = heap;
    plan.inputs.forEach(({ word, size }, i) => {
      const { device } = leaves[i];
      if (device !== undefined && !isOnHost(leaves[i])) {
        words.copyWithin(word, device.address / 4, device.address / 4 + size);
        return;
      }
      const values = valuesOf(leaves[i]);
      (values instanceof Float32Array ? f32 : words).set(values, word);
    });
    for (const step of plan.steps) step(words);
    return plan.outputs.map(({ word, size }, i) => {
      const { dtype } = outputs[i];
      if (dtype === 'float32') return f32.slice(word, word + size);
      const integers = words.slice(word, word + size);
      return dtype === 'bool' ? Uint8Array.from(integers) : integers;
    });
  }

  private learn(recording: Recording): Known | undefined {
    if (!isSmall(recording)) return undefined;
    const lowered = lower(recording);
    // Only what slides a window is computed in another way by what the passes make of its surroundings.
    const graph = lowered.values.some(slides) ? runPasses(lowered) : lowered;
    const { code, engine } = this;
    const steady = steadyInputs(graph, recording.donatable);
    const plan = planDirect(graph, steady, { code, engine, address: DESK, bytes: DESK_BYTES });
    if (plan === undefined) return undefined;
    const known = { plan, left: COMPILE + COMPILE_VALUE * liveValues(graph).length };
    this.plans.set(recording.key, known);
    if (this.plans.size > MAX_PLANS) {
      const [oldest] = this.plans.keys();
      this.plans.delete(oldest);
    }
    return known;
  }
}

const slides = ({ op }: Value): boolean => op.kind === 'recipe' && op.detail?.kind === 'window';

const isOnHost = ({ values, host }: Entry): boolean => values !== undefined || host !== undefined;

function isSmall({ nodes, leaves }: Recording): boolean {
  if (nodes.length > MOST_NODES) return false;
  let elements = 0;
  for (const { size } of leaves) elements += size;
  for (const { types } of nodes) for (const { shape } of types) elements += sizeOf(shape);
  return elements <= MOST_ELEMENTS;
}

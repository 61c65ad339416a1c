/**
 * Runs what was recorded: finds its program or makes one, starts it early where it can be told what it will be, and runs
 * small new programs step by step. Failures wait in the entries for whoever reads them.
 */
import { compile } from './compile.ts';
import type { Started } from './device.ts';
import { Direct } from './direct/direct.ts';
import { sizeOf } from './graph/shape.ts';
import { outOfMemory } from './memory/out-of-memory.ts';
import { type Guess, HeadStarts, isRight } from './record/head-start.ts';
import type { Listener } from './record/pending.ts';
import { type Entry, type Node, newEntry, type Recording, takeRecording } from './record/recording.ts';
import type { CompiledType } from './record/rule.ts';
import { constantsOf, leavesOf, type Seen, type Trace, type Watched } from './record/trace.ts';
import type { Engine, Loaded } from './runtime/engine.ts';
import { HeapFull } from './runtime/heap.ts';
import type { Values } from './values.ts';

/** Compiled programs that are kept. */
const MAX_PROGRAMS = 512;

export class Runner implements Listener {
  /** Of the function that is being traced. */
  watched: Watched | undefined;
  private readonly engine: Engine;
  private readonly values: Values;
  private readonly programs = new Map<string, Loaded>();
  private readonly headStarts = new HeadStarts();
  /** Undefined where every program is to be compiled. */
  private readonly direct: Direct | undefined;
  /** The run that was started when the first operation of what is pending was recorded. */
  private early: { readonly guess: Guess; readonly started: Started } | undefined;

  constructor(engine: Engine, values: Values, compileAlways: boolean) {
    this.engine = engine;
    this.values = values;
    this.direct = compileAlways ? undefined : new Direct(engine);
  }

  /** Starts the program that `node` is likely to begin, if the threads have nothing else to do. */
  begins(node: Node): void {
    const guess = this.engine.isBusy ? undefined : this.headStarts.guess(node);
    if (guess === undefined) return;
    try {
      this.early = { guess, started: this.values.device.begin(guess.leaves, guess.program) };
    } catch {
      // Too little memory: whoever reads the result hears of it, with what was recorded until then.
    }
  }

  /** Starts everything that is still needed of `nodes`. */
  run(nodes: readonly Node[]): void {
    const { early } = this;
    this.early = undefined;
    const recording = takeRecording(nodes);
    try {
      if (recording.outputs.length > 0) this.start(recording, early);
      else if (early !== undefined) this.values.device.drop(early.started);
    } catch (error) {
      for (const entry of recording.outputs) entry.failure = error instanceof Error ? error : new Error(String(error));
    }
    for (const node of nodes) {
      for (const { entry } of node.inputs) {
        entry.readers--;
        if (entry.refCount === 0 && entry.readers === 0) this.values.release(entry);
      }
      for (const entry of node.outputs) entry.node = undefined;
    }
  }

  /** Starts the program of a trace: its result, or undefined where it is gone, or these values cannot be read. */
  replay(trace: Trace, args: readonly Seen[], reads: readonly Seen[]): Entry | undefined {
    const { key, program, result } = trace;
    if (this.programs.get(key) !== program) return undefined;
    const [given, read] = [args, reads].map((values) => values.map(({ entry }) => entry));
    if ([...given, ...read].some(({ failure }) => failure !== undefined)) return undefined;
    const made: Entry[] = [];
    const leaves = leavesOf(trace, { arguments: given, reads: read }, ({ dtype, values }) => {
      const entry = this.values.of(dtype as CompiledType, values);
      made.push(entry);
      return entry;
    });
    if (leaves === undefined) return undefined;
    const { device } = this.values;
    let started: Started;
    try {
      started = device.begin(leaves, program);
    } catch {
      return undefined; // too little memory: what is recorded says so in full
    } finally {
      for (const entry of made) this.values.release(entry);
    }
    this.programs.delete(key);
    this.programs.set(key, program); // the latest used
    const output = newEntry(result.dtype, sizeOf(result.shape));
    device.handOut({ leaves, outputs: [output] }, program, started);
    return output;
  }

  private start(recording: Recording, early: Runner['early']): void {
    const { engine } = this;
    const { device } = this.values;
    const { key, leaves } = recording;
    let program = this.programs.get(key);
    if (early !== undefined && program === early.guess.program && isRight(early.guess, key, leaves)) {
      this.noteStart(recording, program);
      device.handOut(recording, program, early.started);
      return;
    }
    if (early !== undefined) device.drop(early.started);
    if (program === undefined && this.runDirectly(recording)) return;
    try {
      if (program === undefined) {
        const compiled = compile(recording, engine.features);
        device.reserve(compiled);
        program = engine.load(compiled);
      } else this.programs.delete(key); // put back below as the latest used
      this.programs.set(key, program);
      if (this.programs.size > MAX_PROGRAMS) this.forgetOldest();
      this.noteStart(recording, program);
      device.handOut(recording, program, device.begin(leaves, program));
    } catch (error) {
      if (error instanceof HeapFull) throw outOfMemory(error, recording, program?.compiled, engine.heap);
      throw error;
    }
    this.headStarts.learn(recording, program, early !== undefined);
  }

  /** Runs a small new program at once, step by step; false where it is to be compiled. */
  private runDirectly(recording: Recording): boolean {
    if (this.watched !== undefined) return false; // a trace is of a compiled program
    const results = this.direct?.run(recording, (entry) => this.values.numbersOf(entry));
    if (results === undefined) return false;
    recording.outputs.forEach((entry, i) => {
      entry.values = results[i];
    });
    return true;
  }

  private noteStart(recording: Recording, program: Loaded): void {
    const numbersOf = (entry: Entry) => this.values.numbersOf(entry);
    this.watched?.started.push([recording, program, constantsOf(recording, numbersOf)]);
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
}

/**
 * A graph as steps that run one after the other on the caller's thread, each a call of a function that is compiled
 * already or a move by the host. No kernel is made for it, and every value has the bits that a compiled program gives.
 */
import { type Graph, liveValues, type RecipeOp, storageOf, type Value } from '../graph/graph.ts';
import { denseStrides, isDense, type Shape, sizeOf } from '../graph/shape.ts';
import type { Kernel, Recipe } from '../kernels/kernel.ts';
import { IN_ORDER } from '../kernels/loop.ts';
import { productParts } from '../kernels/matmul.ts';
import { cost } from '../kernels/scalar-functions.ts';
import type { Engine } from '../runtime/engine.ts';
import type { Code } from './code.ts';
import { argExtreme, concatRows, copyStrided, gatherRows, padWith } from './moves.ts';

/** Where it runs: the code, and a piece of Wasm memory that every program uses in turn. */
export interface Desk {
  readonly code: Code;
  readonly engine: Engine;
  readonly address: number;
  readonly bytes: number;
}

/** Elements at a place in memory, by word. */
export interface Place {
  readonly word: number;
  readonly size: number;
}

export interface DirectPlan {
  readonly inputs: readonly Place[];
  readonly steps: readonly Step[];
  readonly outputs: readonly Place[];
  /** Estimated microseconds of a run. */
  readonly time: number;
}

/** Given the memory as words, which moves when it grows. */
type Step = (words: Int32Array) => void;

/** Thrown inside when a graph has what only the compiler knows, or is too large. */
class NotDirect extends Error {}

/** Microseconds of a step beside its work, of a move's element, and of a vector instruction. */
const STEP = 0.3;
const MOVE = 0.003;
const INSTRUCTION = 0.0008;
/** Of a multiply-add that waits for the one before. */
const MULTIPLY = 0.002;

/** The plan of a graph; undefined where it cannot be one. `steady`: what a convolution's choice of kernel may depend on. */
export function planDirect(graph: Graph, steady: ReadonlySet<Value>, desk: Desk): DirectPlan | undefined {
  try {
    return new Planner(desk, steady).plan(graph);
  } catch (error) {
    if (error instanceof NotDirect) return undefined;
    throw error;
  }
}

/** How a value is read: element `word + Σ iₐ·strides[a]`. */
interface Source {
  readonly word: number;
  readonly strides: Shape;
}

class Planner {
  private readonly desk: Desk;
  private readonly steady: ReadonlySet<Value>;
  private readonly steps: Step[] = [];
  private readonly places = new Map<Value, readonly number[]>();
  private taken = 0;
  private time = 0;

  constructor(desk: Desk, steady: ReadonlySet<Value>) {
    this.desk = desk;
    this.steady = steady;
  }

  plan(graph: Graph): DirectPlan {
    const inputs = graph.inputs.map((value): Place => {
      const place = { word: this.take(sizeOf(value.shape)), size: sizeOf(value.shape) };
      this.places.set(value, [place.word]);
      return place;
    });
    for (const value of liveValues(graph)) this.add(value);
    const outputs = graph.outputs.map((value) => ({ word: this.placeOf(value), size: sizeOf(value.shape) }));
    return { inputs, steps: this.steps, outputs, time: this.time };
  }

  private add(value: Value): void {
    const { op, shape, lane } = value;
    const size = sizeOf(shape);
    switch (op.kind) {
      case 'input':
      case 'reshape':
      case 'view':
        return;
      case 'const': {
        const word = this.make(value, 1);
        const bits = bitsOf(op.value, lane);
        this.step(0, (words) => {
          words[word] = bits;
        });
        return;
      }
      case 'index': {
        const word = this.make(value, size);
        const stride = sizeOf(shape.slice(op.axis + 1));
        this.step(size * MOVE, (words) => {
          for (let i = 0; i < size; i++) words[word + i] = Math.floor(i / stride) % shape[op.axis];
        });
        return;
      }
      case 'apply': {
        const args = op.args.map((arg) => this.sourceOf(arg));
        const splats = args.map(({ strides }) => shape.every((d, axis) => d === 1 || strides[axis] === 0));
        const from = args.map((arg, i) => 4 * (splats[i] ? arg.word : this.dense(shape, arg)));
        const f = this.desk.code.map(op.fn, splats);
        const out = 4 * this.make(value, size);
        this.step(Math.ceil(size / 4) * cost(op.fn) * INSTRUCTION, () => f(size * 4, out, ...from));
        return;
      }
      case 'copy': {
        const from = this.sourceOf(op.of);
        const word = this.make(value, size);
        this.step(size * MOVE, (words) => copyStrided(words, shape, from.strides, from.word, word));
        return;
      }
      case 'reduce': {
        const total = sizeOf(op.of.shape);
        if (total > IN_ORDER) throw new NotDirect();
        const { word, strides } = this.sourceOf(op.of);
        const axes = [...op.of.shape.keys()];
        const order = [...axes.filter((axis) => !op.reduced[axis]), ...axes.filter((axis) => op.reduced[axis])];
        const ordered = order.map((axis) => op.of.shape[axis]);
        const from = 4 * this.dense(ordered, { word, strides: order.map((axis) => strides[axis]) });
        const f = this.desk.code.fold(op.fn);
        const out = 4 * this.make(value, size);
        this.step(total * MULTIPLY, () => f(size, total / size, from, out));
        return;
      }
      case 'recipe':
        this.recipe(value, op);
        return;
      case 'result': {
        const word = this.places.get(op.of)?.[op.index];
        if (word === undefined) throw new Error('internal: a result was never made');
        this.places.set(value, [word]);
        return;
      }
      default:
        op satisfies never;
    }
  }

  private recipe(value: Value, op: RecipeOp): void {
    const { detail } = op;
    const from = op.inputs.map((input) => this.placeOf(input));
    const out = op.outputs.map(({ shape }) => this.take(sizeOf(shape)));
    this.places.set(value, out);
    const [to] = out;
    const size = sizeOf(op.outputs[0].shape);
    switch (detail?.kind) {
      case 'concat':
        this.step(size * MOVE, (words) => concatRows(words, detail.outer, detail.inner, from, to));
        return;
      case 'gather':
        this.step(size * MOVE, (words) => gatherRows(words, detail.shape, from[0], from[1], to));
        return;
      case 'pad': {
        const filling = bitsOf(detail.value, op.outputs[0].lane);
        const { shape } = op.inputs[0];
        this.step(size * MOVE, (words) => padWith(words, shape, detail.paddings, filling, from[0], to));
        return;
      }
      case 'extreme': {
        const { heap } = this.desk.engine;
        const isFloat = op.inputs[0].lane === 'f32';
        this.step(sizeOf(detail.dims) * MOVE, (words) =>
          argExtreme(isFloat ? heap.f32 : words, words, detail.of, detail.dims, from[0], to),
        );
        return;
      }
      case 'product': {
        const { batch, m, n, k, transposeA, transposeB, batchA, batchB } = detail.shape;
        const f = this.desk.code.product();
        const aStep = transposeA ? m * 4 : 4;
        const bStep = transposeB ? 4 : n * 4;
        const rest = [transposeA ? 4 : k * 4, aStep, transposeB ? k * 4 : 4, bStep] as const;
        const parts = productParts(k, transposeA);
        this.step(batch * m * n * k * MULTIPLY, () => {
          for (let item = 0; item < batch; item++) {
            let a = 4 * (from[0] + (batchA ? item * m * k : 0));
            let b = 4 * (from[1] + (batchB ? item * k * n : 0));
            parts.forEach((depth, part) => {
              f(m, n, depth, a, b, 4 * (to + item * m * n), ...rest, part === 0 ? 1 : 0);
              a += depth * aStep;
              b += depth * bStep;
            });
          }
        });
        return;
      }
      default:
        this.kernels(
          op.build(this.desk.engine.features, { steady: op.inputs.map((v) => this.steady.has(storageOf(v))) }),
          from,
          out,
        );
    }
  }

  /** Kernels of their own, made for these shapes: the same code as a compiled program's. */
  private kernels({ temps, steps }: Recipe, from: readonly number[], out: readonly number[]): void {
    const temporary = temps.map((bytes) => this.take(Math.ceil(bytes / 4)));
    for (const { kernel, args } of steps) {
      const addresses = args.map(
        (ref) => 4 * (ref.kind === 'input' ? from : ref.kind === 'output' ? out : temporary)[ref.index],
      );
      this.call(kernel, addresses);
    }
  }

  private call(kernel: Kernel, addresses: readonly number[]): void {
    const scratch = 4 * this.take(Math.ceil(kernel.scratch / 4));
    const f = this.desk.engine.kernelFunction(kernel);
    this.step(kernel.flops / 2000 + kernel.bytes / 4000, () => {
      for (let piece = 0; piece < kernel.pieces; piece++) f(piece, scratch, ...addresses);
    });
  }

  private sourceOf(value: Value): Source {
    const { op, shape } = value;
    if (op.kind === 'const') return { word: this.placeOf(value), strides: shape.map(() => 0) };
    if (op.kind === 'view') return { word: this.placeOf(op.of) + op.offset, strides: op.strides };
    return { word: this.placeOf(value), strides: denseStrides(shape) };
  }

  /** The first word of a strided tensor's elements, one after the other: where they lie, or a copy. */
  private dense(shape: Shape, { word, strides }: Source): number {
    if (isDense(shape, strides)) return word;
    const size = sizeOf(shape);
    const to = this.take(size);
    this.step(size * MOVE, (words) => copyStrided(words, shape, strides, word, to));
    return to;
  }

  private placeOf(value: Value): number {
    const place = this.places.get(storageOf(value))?.[0];
    if (place === undefined) throw new Error('internal: a value has no place');
    return place;
  }

  private make(value: Value, size: number): number {
    const word = this.take(size);
    this.places.set(value, [word]);
    return word;
  }

  /** Room for `size` words, in whole vectors and as kernels want their tensors: from a multiple of 64 bytes on. */
  private take(size: number): number {
    const word = this.desk.address / 4 + this.taken;
    this.taken += Math.ceil(size / 16) * 16;
    if (this.taken * 4 > this.desk.bytes) throw new NotDirect();
    return word;
  }

  private step(time: number, run: Step): void {
    this.steps.push(run);
    this.time += STEP + time;
  }
}

const scalar = new Float32Array(1);
const scalarBits = new Int32Array(scalar.buffer);

/** A constant as it lies in memory. */
function bitsOf(value: number, lane: Value['lane']): number {
  if (lane === 'i32') return value | 0;
  scalar[0] = value;
  return scalarBits[0];
}

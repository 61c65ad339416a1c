/**
 * What is done to each element of a convolution's result before it goes to memory: bias, batch norm, residual, ReLU.
 * It saves a pass over the activation: the values are still in registers, or in the first-level cache.
 */
import { type Expr, i32, type Local, type ModuleBuilder, v128 } from '../wasm/assembler.ts';
import { input, type Ref } from './kernel.ts';
import { VectorLocals } from './loop-body.ts';
import type { BodyNode } from './loop-spec.ts';
import { apply, inForm, type Vector } from './scalar-functions.ts';
import type { Scope } from './scalar-math.ts';

/** A body as a fused loop has it, of f32 lanes without `index`. Input 0 is the result; the recipe's inputs follow its own. */
export interface Epilogue {
  readonly body: readonly BodyNode[];
  /** The body's value that is stored. */
  readonly value: number;
  /** What each further input holds: one value for each channel, or one for each element. */
  readonly inputs: readonly ('channel' | 'element')[];
}

/** What a convolution may be told beyond its shape. */
export interface Outcome {
  /** The filter outlives the run: what is made of it alone is kept. */
  readonly steady: boolean;
  readonly epilogue: Epilogue | undefined;
  /** The sums of a batch norm are wanted as well (`moments.ts`). */
  readonly moments: boolean;
}

/** How many pointers a kernel takes for an outcome, after its own: the epilogue's inputs, then where moments gather. */
export const outcomePointers = ({ epilogue, moments }: Omit<Outcome, 'steady'>): number =>
  (epilogue?.inputs.length ?? 0) + (moments ? 1 : 0);

/** These pointers as arguments: the recipe's inputs after image and filter, and the temporary of the moments. */
export const outcomeArgs = ({ epilogue, moments }: Omit<Outcome, 'steady'>, partials: Ref): Ref[] => [
  ...(epilogue?.inputs ?? []).map((_, i) => input(2 + i)),
  ...(moments ? [partials] : []),
];

/** For the names of kernels: ` + madd,relu + moments`. */
export const describeOutcome = ({ epilogue, moments }: Omit<Outcome, 'steady'>): string => {
  const functions = epilogue?.body.flatMap((node) => (node.kind === 'apply' ? [node.fn] : [])) ?? [];
  return `${epilogue ? ` + ${functions}` : ''}${moments ? ' + moments' : ''}`;
};

/** The stored value for four elements. `load(i)` reads them, or their channels, from further input `i`. */
export function evaluate(e: Epilogue, scope: Scope, result: Expr, load: (input: number) => Expr): Expr {
  const held = scope.let(result);
  const memo = new Map<number, Vector>();
  const visit = (index: number): Vector => {
    const found = memo.get(index);
    if (found !== undefined) return found;
    const node = e.body[index];
    switch (node?.kind) {
      case 'const':
        return { expr: v128.const_f32x4(node.value), form: 'value' };
      case 'load':
        return { expr: node.input === 0 ? held : load(node.input - 1), form: 'value' };
      case 'apply': {
        const made = apply(scope, node.fn, node.args.map(visit));
        const uses = e.body.reduce((n, other) => n + (other.kind === 'apply' ? count(other.args, index) : 0), 0);
        if (uses < 2) return made;
        const kept = { expr: scope.let(made.expr), form: made.form };
        memo.set(index, kept);
        return kept;
      }
      default:
        throw new Error(`internal: ${node?.kind} in an epilogue`);
    }
  };
  return inForm(visit(e.value), 'value');
}

const count = (list: readonly number[], wanted: number): number => list.filter((x) => x === wanted).length;

/**
 * Emits `finish(y, floats, ...inputs)`: applies the epilogue in place to `floats` channels of one pixel, a multiple
 * of 8. Every pointer is at the first of them.
 */
export function emitEpilogueRow(m: ModuleBuilder, e: Epilogue, relaxed: boolean): number {
  return m.func(null, ['i32', 'i32', ...e.inputs.map(() => 'i32' as const)], [], (f) => {
    const [y, floats, ...inputs] = f.params;
    const end = f.local('i32');
    const scope = new VectorLocals(f, relaxed);
    f.set(end, i32.add(y, i32.shl(floats, i32.const(2))));
    f.for(y, y, end, 32, () => {
      const values = [0, 16].map((offset) =>
        scope.let(evaluate(e, scope, v128.load(y, offset), (i) => v128.load(inputs[i], offset))),
      );
      f.push(v128.store(y, values[1], 16));
      f.push(v128.store(y, values[0]));
      scope.release();
      for (const input of inputs) f.inc(input, 32);
    });
  });
}

/**
 * Pointers of the further inputs at the element `offset` bytes into the result, whose channel is `channel` bytes in.
 */
export const inputsAt = (e: Epilogue, inputs: readonly Local[], offset: Expr, channel: Expr): Expr[] =>
  e.inputs.map((kind, i) => i32.add(inputs[i], kind === 'element' ? offset : channel));

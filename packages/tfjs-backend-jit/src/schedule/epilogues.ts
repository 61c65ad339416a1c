/**
 * Puts a loop over a convolution's result into the convolution, where nobody else reads the result: inference's
 * batch norm, residual sum and ReLU then cost no pass over the activation.
 */
import { type Graph, type Op, storageOf, type Value } from '../graph/graph.ts';
import { sameShape } from '../graph/shape.ts';
import { takesEpilogue } from '../kernels/conv2d.ts';
import type { Epilogue } from '../kernels/epilogue.ts';
import type { BodyNode, LoopInput, LoopSpec } from '../kernels/loop-spec.ts';
import { buildLoop } from './loops.ts';
import { isHeavy } from './roots.ts';
import type { Item, LoopGroup } from './schedule.ts';

/** A convolution that finishes its result: `made` takes the place of the result, `inputs` follow the convolution's. */
export interface Fused {
  readonly epilogue: Epilogue;
  readonly inputs: readonly Value[];
  readonly made: Value;
}

/** More functions would make the 16 copies in an output's transform long. */
const MAX_FUNCTIONS = 8;

/** Moves loops into convolutions; what remains, in order. A convolution moves to where its loop stood. */
export function fuseEpilogues(items: readonly Item[], graph: Graph, roots: ReadonlySet<Value>): Item[] {
  const readers = countReaders(items, graph);
  const left: (Item | undefined)[] = [...items];
  items.forEach((item, at) => {
    if (item.kind !== 'loop' || item.stores.length !== 1 || item.reductions.length > 0) return;
    const [made] = item.stores;
    if (made.op.kind !== 'apply' || made.lane !== 'f32') return;
    const results = [...item.reads].filter((read) => readers.get(read) === 1 && convolutionOf(read) !== undefined);
    // The latest: what it reads lives shortest.
    for (const result of results.sort((a, b) => b.id - a.id)) {
      const fused = asEpilogue(item, made, result, roots);
      const conv = convolutionOf(result);
      const place = items.findIndex((other) => other.kind === 'recipe' && other.value === conv);
      const recipe = items[place];
      if (fused === undefined || recipe?.kind !== 'recipe') continue;
      left[place] = undefined;
      left[at] = { ...recipe, fused };
      return;
    }
  });
  return left.filter((item) => item !== undefined);
}

/** The recipe of a convolution whose result is `value`, if it can take an epilogue. */
function convolutionOf({ op }: Value): Value | undefined {
  if (op.kind !== 'result' || op.of.op.kind !== 'recipe') return undefined;
  const { name, detail } = op.of.op;
  return name === 'Conv2D' && detail?.kind === 'window' && takesEpilogue(detail.shape) ? op.of : undefined;
}

function countReaders(items: readonly Item[], graph: Graph): Map<Value, number> {
  const readers = new Map<Value, number>();
  const add = (value: Value) => readers.set(value, (readers.get(value) ?? 0) + 1);
  for (const output of graph.outputs) add(storageOf(output));
  for (const item of items) {
    if (item.kind === 'loop') item.reads.forEach(add);
    else for (const input of inputsOf(item.value.op)) add(storageOf(input));
  }
  return readers;
}

const inputsOf = (op: Op): readonly Value[] => (op.kind === 'recipe' ? op.inputs : []);

function asEpilogue(item: LoopGroup, made: Value, result: Value, roots: ReadonlySet<Value>): Fused | undefined {
  if (!sameShape(made.shape, result.shape)) return undefined;
  const { spec, inputs } = buildLoop(item.shape, item.stores, [], undefined, roots);
  const channels = result.shape[result.shape.length - 1];
  const kinds = spec.inputs.map((input) => kindOf(input, spec, channels));
  const own = inputs.indexOf(result);
  const applied = spec.body.filter((node) => node.kind === 'apply');
  const fits =
    kinds.every((kind) => kind !== undefined) &&
    kinds[own] === 'element' &&
    inputs.filter((value) => value === result).length === 1 &&
    spec.body.every((node) => node.kind !== 'index' && node.lane === 'f32') &&
    applied.length <= MAX_FUNCTIONS &&
    applied.every((node) => !isHeavy(node.fn));
  if (!fits) return undefined;
  // The epilogue's input 0 is the result; the others keep their order.
  const others = inputs.map((_, i) => i).filter((i) => i !== own);
  const renumber = (node: BodyNode): BodyNode =>
    node.kind === 'load' ? { ...node, input: node.input === own ? 0 : 1 + others.indexOf(node.input) } : node;
  return {
    epilogue: {
      body: spec.body.map(renumber),
      value: spec.stores[0].value,
      inputs: others.map((i) => kinds[i] ?? 'element'),
    },
    inputs: others.map((i) => inputs[i]),
    made,
  };
}

/** How an input lies beside the result: element by element, or one value for each channel. */
function kindOf(
  { offset, strides }: LoopInput,
  { shape }: LoopSpec,
  channels: number,
): Epilogue['inputs'][number] | undefined {
  if (offset !== 0) return undefined;
  if (shape.length === 1) return strides[0] === 1 ? 'element' : undefined;
  if (shape.length !== 2 || shape[1] !== channels || strides[1] !== 1) return undefined;
  if (strides[0] === channels) return 'element';
  return strides[0] === 0 ? 'channel' : undefined;
}

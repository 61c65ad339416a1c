/** How the layers of a model are wired: Keras 2's lists and Keras 3's calls with tensors, made into the lists of TF.js.
 *  TF.js would loop for ever on a graph that is none, so the wiring is followed here first. */

import { WeightsError } from '../errors.ts';
import { show } from '../reader.ts';
import { field } from './class-names.ts';

/** A layer's name, which of its calls, which of that call's outputs. */
export type TensorRef = readonly [layer: string, node: number, tensor: number];

/** A call of a layer: its inputs, each with the call's arguments, as tfjs-layers has them. */
export type InboundNode = readonly (readonly [layer: string, node: number, tensor: number, kwargs: object])[];

/** Arguments of calls that inference does without. */
const IGNORED = new Set(['mask', 'training']);

/**
 * The calls of one layer.
 *
 * @throws WeightsError where a call has arguments besides tensors
 */
export function inboundNodes(nodes: unknown, who: string): InboundNode[] {
  if (!Array.isArray(nodes)) throw new WeightsError(`${who}: has no inbound_nodes`);
  return nodes.map((node: unknown) => (Array.isArray(node) ? keras2Node(node, who) : keras3Node(node, who)));
}

/** `input_layers` and `output_layers`: one reference, or a list of them. */
export function tensorRefs(value: unknown, who: string): TensorRef[] {
  const found = isRef(value) ? [value] : Array.isArray(value) ? value : [];
  if (found.length === 0 || !found.every(isRef)) {
    throw new WeightsError(`${who}: the inputs and outputs of its model must be lists of tensors`);
  }
  return found.map(([layer, node, tensor]) => [layer, node, tensor]);
}

function keras2Node(node: readonly unknown[], who: string): InboundNode {
  return node.map((input) => {
    const [layer, index, tensor, kwargs = {}] = Array.isArray(input) ? input : [];
    if (!isRef([layer, index, tensor])) throw new WeightsError(`${who}: an input of it names no tensor`);
    checkArguments(kwargs, who);
    return [layer as string, index as number, tensor as number, {}];
  });
}

function keras3Node(node: unknown, who: string): InboundNode {
  const args = field(node, 'args');
  checkArguments(field(node, 'kwargs') ?? {}, who);
  const inputs = Array.isArray(args) ? args.flat() : [];
  return inputs.map((input: unknown) => {
    const history = field(field(input, 'config'), 'keras_history');
    if (!isRef(history)) {
      throw new WeightsError(
        `${who}: is called with ${show(JSON.stringify(input) ?? '')}; inputs must be tensors of layers`,
      );
    }
    return [history[0], history[1], history[2], {}];
  });
}

function checkArguments(kwargs: unknown, who: string): void {
  for (const [name, value] of Object.entries(kwargs ?? {})) {
    if (value === null || value === false || IGNORED.has(name)) continue;
    throw new WeightsError(`${who}: is called with the argument ${show(name)}, which TensorFlow.js does not pass on`);
  }
}

function isRef(value: unknown): value is [string, number, number] {
  if (!Array.isArray(value) || value.length < 3) return false;
  const [layer, node, tensor] = value;
  const index = (n: unknown) => Number.isInteger(n) && (n as number) >= 0;
  return typeof layer === 'string' && index(node) && index(tensor);
}

export const isModelClass = (className: unknown): boolean =>
  className === 'Functional' || className === 'Model' || className === 'Sequential';

/**
 * Keras 3 counts the calls of a model within a model from 0; Keras 2 and TF.js have the model's own inputs as call 0.
 */
export function inTfjsCount(models: ReadonlySet<string>) {
  return <T extends readonly [string, number, ...unknown[]]>(ref: T): T => {
    const [layer, node, ...rest] = ref;
    return models.has(layer) ? ([layer, node + 1, ...rest] as unknown as T) : ref;
  };
}

export interface WiredLayer {
  readonly name: string;
  readonly class_name: string;
  readonly inbound_nodes: readonly InboundNode[];
}

/**
 * Follows the calls from the inputs on.
 *
 * @throws WeightsError where two layers share a name, or a call can never be made: its input is missing, or comes after it
 */
export function checkGraph(layers: readonly WiredLayer[], outputs: readonly TensorRef[], who: string): void {
  const calls = new Map<string, number>();
  for (const { name, class_name, inbound_nodes } of layers) {
    if (calls.has(name)) throw new WeightsError(`${who}: two layers of its model are named ${show(name)}`);
    // An input layer is its own first call; a model's first is that of its own inputs.
    calls.set(name, inbound_nodes.length === 0 || isModelClass(class_name) ? 1 : 0);
  }
  const ready = ([layer, node]: readonly [string, number, ...unknown[]]) => (calls.get(layer) ?? 0) > node;
  let waiting = layers.flatMap(({ name, inbound_nodes }) => inbound_nodes.map((node) => ({ name, node })));
  while (waiting.length > 0) {
    const still = waiting.filter(({ name, node }) => {
      if (!node.every(ready)) return true;
      calls.set(name, (calls.get(name) ?? 0) + 1);
      return false;
    });
    if (still.length === waiting.length) {
      const names = [...new Set(still.map(({ name }) => show(name)))].slice(0, 3).join(', ');
      throw new WeightsError(`${who}: the layers ${names} wait for inputs that never come: its model is no graph`);
    }
    waiting = still;
  }
  const missing = outputs.find((output) => !ready(output));
  if (missing) throw new WeightsError(`${who}: its model has no output ${show(missing[0])}`);
}

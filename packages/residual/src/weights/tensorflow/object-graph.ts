/** The graph of objects in a TensorFlow 2 checkpoint: which variable stands behind a key, under the name that it has.
 *  tensorflow/core/protobuf/trackable_object_graph.proto; and by what rule a variable belongs to an optimizer. */

import { readMessage } from '../protobuf-message.ts';
import type { ByteSource } from '../source.ts';

/** The key under which the graph itself is kept. */
export const OBJECT_GRAPH = '_CHECKPOINTABLE_OBJECT_GRAPH';
const SUFFIX = '/.ATTRIBUTES/VARIABLE_VALUE';

export interface GraphVariable {
  /** The variable's own, e.g. `conv1/kernel`; '' where it has none. */
  readonly fullName: string;
  /** An optimizer keeps it beside another variable: a momentum, a mean of squares. */
  readonly slot: boolean;
}

/** Keys of the checkpoint, in the order of the graph, which is that of the model's layers. */
export async function objectGraph(source: ByteSource): Promise<Map<string, GraphVariable>> {
  const graph = await readMessage(source, { start: 0, end: source.size });
  const nodes = await graph.messages(1);
  const slots = new Set<number>();
  for (const node of nodes) {
    for (const slot of await node.messages(3)) slots.add(slot.integer(3) ?? 0);
  }
  const variables = new Map<string, GraphVariable>();
  for (const [id, node] of nodes.entries()) {
    for (const attribute of await node.messages(2)) {
      const key = (await attribute.text(3)) ?? '';
      variables.set(key, { fullName: (await attribute.text(2)) ?? '', slot: slots.has(id) });
    }
  }
  return variables;
}

/** `layer_with_weights-0/kernel`, of a key of the graph. */
export function shortKey(key: string): string {
  return key.endsWith(SUFFIX) ? key.slice(0, -SUFFIX.length) : key;
}

/** Slots of TensorFlow 1's optimizers: `conv1/weights/Momentum`. */
const SLOT_NAMES = /\/(?:Momentum|(?:Adam|RMSProp|Adagrad|Adadelta|Ftrl)(?:_\d+)?)$/;
/** What they count. */
const COUNTERS = /^(?:global_step|beta[12]_power(?:_\d+)?)$/;

/**
 * What a variable serves besides the model; undefined for the model's own.
 *
 * Of an optimizer are slots, and all under an object whose name ends in `optimizer` but its list of
 * `_trainable_variables`: those are the model's, and Keras 3 may save them there and nowhere else. In checkpoints
 * without a graph, those named as TensorFlow 1 names slots and counters.
 */
export function purposeOf(key: string, slot: boolean): 'optimizer' | 'metrics' | 'counter' | undefined {
  if (slot || key.includes('/.OPTIMIZER_SLOT/')) return 'optimizer';
  if (!key.endsWith(SUFFIX)) {
    if (COUNTERS.test(key)) return 'counter';
    return SLOT_NAMES.test(key) ? 'optimizer' : undefined;
  }
  const path = shortKey(key).split('/');
  const optimizer = path.findIndex((part) => part.endsWith('optimizer'));
  if (optimizer >= 0 && path[optimizer + 1] !== '_trainable_variables') return 'optimizer';
  if (path[0] === 'keras_api' && path[1] === 'metrics') return 'metrics';
  return path.length === 1 && path[0] === 'save_counter' ? 'counter' : undefined;
}

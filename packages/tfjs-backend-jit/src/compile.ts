/** The compiler from end to end: a recording becomes a graph, passes, launches, a memory plan and Wasm. */
import { debug } from './debug.ts';
import { Graph, type Value } from './graph/graph.ts';
import { printGraph } from './graph/print.ts';
import type { Features, Kernel } from './kernels/kernel.ts';
import { type Plan, planMemory } from './memory/plan.ts';
import { runPasses } from './passes/passes.ts';
import { convert } from './record/elementwise.ts';
import type { Recording } from './record/recording.ts';
import { type CompiledType, laneOf } from './record/rule.ts';
import { printPlan } from './runtime/print-plan.ts';
import { emitProgram } from './runtime/program.ts';
import { schedule, type Task } from './schedule/schedule.ts';

export interface Compiled extends Plan {
  /** The kernels that the program calls, each once, in the order of its imports. */
  readonly kernels: readonly Kernel[];
  readonly wasm: Uint8Array<ArrayBuffer>;
}

/** Compiles a recording. Pure: the same recording and features give the same program. */
export function compile(recording: Recording, features: Features): Compiled {
  const graph = lower(recording);
  debug('graph', () => printGraph(graph));
  const optimised = runPasses(graph);
  debug('passes', () => printGraph(optimised));
  const tasks = scheduled(optimised, recording.donatable, features);
  const plan = planMemory(tasks, optimised.inputs, optimised.outputs, recording.donatable);
  debug('plan', () => printPlan(plan));
  const kernels = [...new Map(plan.launches.map(({ kernel }) => [kernel.key, kernel])).values()];
  const wasm = emitProgram(plan.launches, kernels, debug.timed, features.shared);
  return { ...plan, kernels, wasm };
}

/**
 * What a run makes of weights alone (packed and transformed filters, batch norm's factors) is kept for the next run if
 * the run is so short that making it counts: at batch 1 it is a third of ResNet18's time at 224, at batch 16 a fiftieth.
 * It costs memory: about twice that of the weights.
 */
const KEEP_BELOW_FLOPS = 8e9;

function scheduled(graph: Graph, donatable: readonly boolean[], features: Features): Task[] {
  const tasks = schedule(graph, features);
  const flops = tasks.flatMap(({ recipe }) => recipe.steps).reduce((sum, { kernel }) => sum + kernel.flops, 0);
  if (flops > KEEP_BELOW_FLOPS) return tasks;
  return schedule(graph, features, steadyInputs(graph, donatable));
}

/** The inputs that outlive the run. */
export const steadyInputs = (graph: Graph, donatable: readonly boolean[]): ReadonlySet<Value> =>
  new Set(graph.inputs.filter((_, i) => !donatable[i]));

/** Builds the graph: TF.js kernels become their rules' values. */
export function lower({ nodes, leaves, outputs }: Recording): Graph {
  const graph = new Graph();
  const values = new Map<unknown, Value>();
  const seen = new Set<unknown>(leaves);
  for (const node of nodes) {
    const inputs: Record<string, Value> = {};
    node.inputs.forEach(({ entry, shape, dtype }, i) => {
      let value = values.get(entry);
      if (value === undefined) {
        if (!seen.has(entry)) throw new Error('internal: a node reads what was never made');
        value = graph.input(shape, laneOf(entry.dtype as CompiledType));
        values.set(entry, value);
      }
      const held = graph.reshape(value, shape);
      inputs[node.names[i]] = convert(graph, held, entry.dtype as CompiledType, dtype as CompiledType);
    });
    node.rule.lower(graph, inputs, node.attrs as never, node.types).forEach((value, i) => {
      values.set(node.outputs[i], graph.reshape(value, node.types[i].shape));
    });
  }
  graph.outputs = outputs.map((entry) => {
    const value = values.get(entry);
    if (value === undefined) throw new Error('internal: an output was never made');
    return graph.dense(value);
  });
  return graph;
}

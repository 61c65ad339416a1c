/** Whether a graph is whole: names unique, values made before they are read, shapes as the operations give them.
 *  Passes and readers of files end with it, so that a mistake shows where it was made. */

import { ModelError } from '../../models/errors.ts';
import { type Constant, type GraphNode, type InferenceGraph, type Shape, sizeOf } from './graph.ts';

/** @throws ModelError naming the node and what is wrong with it */
export function checkGraph(graph: InferenceGraph): void {
  const shapes = new Map<string, Shape>([[graph.input.name, graph.input.shape]]);
  const names = new Set<string>();
  for (const node of graph.nodes) {
    const fail = (what: string) => new ModelError(`graph ${graph.name}: node ${node.name} (${node.op}) ${what}`);
    if (names.has(node.name)) throw fail('has the name of another node');
    if (shapes.has(node.output)) throw fail(`makes ${node.output} a second time`);
    const inputs = node.inputs.map((name) => {
      const shape = shapes.get(name);
      if (!shape) throw fail(`reads ${name}, which nothing before it makes`);
      return shape;
    });
    const expected = shapeOf(node, inputs);
    if (!expected) throw fail(`cannot take ${inputs.map((shape) => `[${shape}]`).join(', ') || 'nothing'}`);
    if (expected.join() !== node.shape.join()) throw fail(`is said to give [${node.shape}], gives [${expected}]`);
    names.add(node.name);
    shapes.set(node.output, node.shape);
  }
  const output = shapes.get(graph.output);
  if (output?.join() !== `${graph.classes.length}`) {
    throw new ModelError(
      `graph ${graph.name}: ${graph.output} must hold ${graph.classes.length} classes, is [${output ?? 'missing'}]`,
    );
  }
}

/** What a node makes of inputs of these shapes; undefined where it cannot take them. Its own `shape` counts for a reshape. */
export function shapeOf(node: GraphNode, inputs: readonly Shape[]): Shape | undefined {
  const [x, y] = inputs;
  if (!x) return undefined;
  const [rows = 0, columns = 0, channels = 0] = x;
  switch (node.op) {
    case 'conv2d': {
      const { filter, bias, strides, padding, dilation } = node;
      const [height = 0, width = 0, from, to = 0] = filter.shape;
      if (x.length !== 3 || from !== channels || !holds(filter) || !isVector(bias, to)) return undefined;
      return [...slid([rows, columns], [height, width], strides, padding, dilation), to];
    }
    case 'depthwiseConv2d': {
      const { filter, bias, strides, padding, dilation } = node;
      const [height = 0, width = 0, from, multiplier = 0] = filter.shape;
      const to = channels * multiplier;
      if (x.length !== 3 || from !== channels || !holds(filter) || !isVector(bias, to)) return undefined;
      return [...slid([rows, columns], [height, width], strides, padding, dilation), to];
    }
    case 'dense': {
      const [from, to = 0] = node.weights.shape;
      return x.length === 1 && from === x[0] && holds(node.weights) && isVector(node.bias, to) ? [to] : undefined;
    }
    case 'affine':
      return [node.scale, node.offset].every((constant) => isVector(constant, x.at(-1) ?? 0)) ? x : undefined;
    case 'add':
      return inputs.length === 2 && x.join() === y?.join() ? x : undefined;
    case 'mul':
      return inputs.length === 2 && (x.join() === y?.join() || y?.join() === `1,1,${x[2]}`) ? x : undefined;
    case 'maxPool':
    case 'averagePool':
      if (x.length !== 3) return undefined;
      return [...slid([rows, columns], node.size, node.strides, node.padding, [1, 1]), channels];
    case 'globalAveragePool':
      return x.length === 3 ? [channels] : undefined;
    case 'pad': {
      const [top, bottom, left, right] = node.padding;
      return x.length === 3 ? [rows + top + bottom, columns + left + right, channels] : undefined;
    }
    case 'reshape':
      return sizeOf(x) === sizeOf(node.shape) ? node.shape : undefined;
    case 'concat': {
      const start = x.slice(0, -1).join();
      if (inputs.some((shape) => shape.length !== x.length || shape.slice(0, -1).join() !== start)) return undefined;
      return [...x.slice(0, -1), inputs.reduce((sum, shape) => sum + (shape.at(-1) ?? 0), 0)];
    }
    case 'relu':
    case 'relu6':
    case 'sigmoid':
    case 'softmax':
      return x;
    default:
      return node satisfies never;
  }
}

function slid(
  size: readonly [number, number],
  kernel: readonly [number, number],
  strides: readonly [number, number],
  [top, bottom, left, right]: readonly [number, number, number, number],
  dilation: readonly [number, number],
): [number, number] {
  const padded = [size[0] + top + bottom, size[1] + left + right] as const;
  const along = (axis: 0 | 1) =>
    Math.floor((padded[axis] - (kernel[axis] - 1) * dilation[axis] - 1) / strides[axis]) + 1;
  return [along(0), along(1)];
}

function isVector(constant: Constant, length: number): boolean {
  return constant.shape.join() === `${length}` && holds(constant);
}

function holds({ shape, values }: Constant): boolean {
  return sizeOf(shape) === values.length;
}

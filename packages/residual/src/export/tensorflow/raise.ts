/** TensorFlow's operators back as an inference graph, so that our own engine runs the files: `lower.ts` in reverse.
 *  Files of others are taken as far as they use the same operators in the same way; what differs is named. */

import { ModelError } from '../../models/errors.ts';
import { show } from '../../weights/reader.ts';
import type { ArtefactInfo } from '../artefact.ts';
import { checkGraph, shapeOf } from '../graph/check.ts';
import type { Constant, GraphNode, InferenceGraph, Padding, Pair, Shape } from '../graph/graph.ts';
import type { DraftNode } from '../graph/layers.ts';
import { simplify } from '../graph/passes.ts';
import { samePadding } from '../tflite/padding.ts';
import { LOWEST, type NodeDef, nodeOf } from './graph-def.ts';

export interface RaiseOptions {
  /** Node of the input, and of what the graph gives. */
  readonly input: string;
  readonly output: string;
  /** Of constants and variables, by the name of their node. */
  readonly constants: ReadonlyMap<string, Constant>;
  readonly info: ArtefactInfo;
  /** Its name, for messages. */
  readonly file: string;
}

/** @throws ModelError for operators and forms that our files do not have, naming the node */
export function raiseTensorflow(nodes: readonly NodeDef[], options: RaiseOptions): InferenceGraph {
  const { info, input, output, file } = options;
  const { architecture: name, classes, preprocessing, range, gives } = info;
  const raising = new Raising(options, preprocessing.inputShape);
  for (const node of neededFor(nodes, output)) raising.node(node);
  const end = raising.end(output);
  const simple = simplify(raising.drafts, end);
  const graph: InferenceGraph = {
    ...{ name, classes, preprocessing, gives },
    nodes: simple.map((node) => (node.output === end ? { ...node, output: 'output' } : node)),
    input: { name: 'input', shape: preprocessing.inputShape, range },
    output: 'output',
  };
  if (simple.length === 0) throw new ModelError(`${file}: nothing lies between ${show(input)} and ${show(output)}`);
  checkGraph(graph);
  return graph;
}

/** In the file's order; what saves and restores variables is left out. */
function neededFor(nodes: readonly NodeDef[], output: string): NodeDef[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const needed = new Set<string>();
  const open = [output];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (needed.has(name)) continue;
    needed.add(name);
    for (const input of byName.get(name)?.inputs ?? []) if (!input.startsWith('^')) open.push(nodeOf(input));
  }
  return nodes.filter(({ name }) => needed.has(name));
}

interface Value {
  readonly name: string;
  /** Without the batch. */
  readonly shape: Shape;
}

class Raising {
  readonly drafts: DraftNode[] = [];
  private readonly file: string;
  private readonly input: string;
  /** Constants, and what is computed of constants alone. */
  private readonly constants: Map<string, Constant>;
  private readonly values = new Map<string, Value>();
  /** By the name of the value. */
  private readonly shapes = new Map<string, Shape>();
  /** What is padded with the least number for a max-pool, by node. */
  private readonly padded = new Map<string, Padding>();

  constructor({ constants, file, input }: RaiseOptions, shape: Shape) {
    this.constants = new Map(constants);
    this.file = file;
    this.input = input;
    this.set(input, { name: 'input', shape });
  }

  end(output: string): string {
    const value = this.values.get(output);
    if (!value) throw new ModelError(`${this.file}: nothing makes ${show(output)}`);
    return value.name;
  }

  node(node: NodeDef): void {
    const { name, op } = node;
    if (name === this.input || this.constants.has(name)) return;
    switch (op) {
      case 'Identity':
      case 'Cast':
      case 'ReadVariableOp':
        this.alias(node);
        break;
      case 'Mul':
      case 'Add':
      case 'AddV2':
      case 'BiasAdd':
        this.sumOrProduct(node, op === 'Mul' ? 'mul' : 'add');
        break;
      case 'PadV2':
        this.padLowest(node);
        break;
      case '_FusedConv2D':
      case 'FusedDepthwiseConv2dNative':
      case '_FusedMatMul':
        this.fused(node);
        break;
      default:
        this.add(this.made(node, op));
    }
  }

  /** Operators that are nodes of the graph as they are. */
  private made(node: NodeDef, op: string): GraphNode {
    const { name, inputs } = node;
    const base = { name, inputs: [this.value(node, 0).name], output: name, shape: [] };
    switch (op) {
      case 'Conv2D': {
        const filter = this.constant(node, 1);
        const bias = zeros(filter.shape[3] ?? 0);
        return { op: 'conv2d', ...base, filter, bias, ...this.slide(node, filter.shape), activation: 'none' };
      }
      case 'DepthwiseConv2dNative': {
        const filter = this.constant(node, 1);
        const bias = zeros((filter.shape[2] ?? 0) * (filter.shape[3] ?? 0));
        return { op: 'depthwiseConv2d', ...base, filter, bias, ...this.slide(node, filter.shape), activation: 'none' };
      }
      case 'MatMul': {
        if (flagOf(node, 'transpose_a') || flagOf(node, 'transpose_b')) throw this.odd(node, 'a transposed side');
        const weights = this.constant(node, 1);
        return { op: 'dense', ...base, weights, bias: zeros(weights.shape[1] ?? 0), activation: 'none' };
      }
      case 'MaxPool':
      case 'AvgPool': {
        const size = pairOf(node, 'ksize');
        const { strides, padding } = this.slide(node, size);
        if (op === 'MaxPool') {
          const before = this.padded.get(nodeOf(inputs[0] ?? ''));
          if (before && padding.some((pixels) => pixels > 0)) throw this.odd(node, 'padding twice');
          return { op: 'maxPool', ...base, size, strides, padding: before ?? padding };
        }
        return { op: 'averagePool', ...base, size, strides, padding, countPadding: false };
      }
      case 'Mean': {
        const axes = [...this.constant(node, 1).values].join();
        if (axes !== '1,2' || flagOf(node, 'keep_dims')) throw this.odd(node, `the axes ${axes}`);
        return { op: 'globalAveragePool', ...base };
      }
      case 'Pad':
        return { op: 'pad', ...base, padding: this.paddingOf(node) };
      case 'Relu':
        return { op: 'relu', ...base };
      case 'Relu6':
        return { op: 'relu6', ...base };
      case 'Sigmoid':
        return { op: 'sigmoid', ...base };
      case 'Softmax':
        return { op: 'softmax', ...base };
      case 'Reshape':
        return { op: 'reshape', ...base, shape: [...this.constant(node, 1).values].slice(1) };
      case 'ConcatV2': {
        const rank = this.value(node, 0).shape.length;
        const axis = this.constant(node, inputs.length - 1).values[0];
        if (axis !== rank && axis !== -1) throw this.odd(node, `the axis ${axis}`);
        return { op: 'concat', ...base, inputs: inputs.slice(0, -1).map((_, i) => this.value(node, i).name) };
      }
      default:
        throw new ModelError(`${this.file}: node ${show(name)}: the operator ${show(op)} is not run by our own engine`);
    }
  }

  private add(made: GraphNode): void {
    const shapes = made.inputs.map((name) => this.shapes.get(name) ?? []);
    const shape = shapeOf(made, shapes);
    if (!shape) {
      const taken = shapes.map((one) => `[${one}]`).join(' and ');
      throw new ModelError(
        `${this.file}: node ${show(made.name)}: our own engine does not run it with inputs of ${taken}`,
      );
    }
    this.drafts.push({ ...made, shape } as GraphNode);
    this.set(made.name, { name: made.output, shape });
  }

  private set(node: string, value: Value): void {
    this.values.set(node, value);
    this.shapes.set(value.name, value.shape);
  }

  /** One operator for several: the passes put the pieces together again. */
  private fused(node: NodeDef): void {
    const { name, op } = node;
    const extras = node.attributes.fused_ops;
    const [bias, activation, ...others] = extras && 'texts' in extras ? extras.texts : [];
    if (bias !== 'BiasAdd' || others.length > 0) throw this.odd(node, 'what is fused into it');
    const plain = op.replace(/^_?Fused/, '');
    const sums = `${name}/sums`;
    this.add(this.made({ ...node, name: sums }, plain));
    const biased = activation === undefined ? name : `${name}/biased`;
    this.sumOrProduct({ name: biased, op: 'BiasAdd', inputs: [sums, node.inputs[2] ?? ''], attributes: {} }, 'add');
    if (activation !== undefined)
      this.add(this.made({ name, op: activation, inputs: [biased], attributes: {} }, activation));
  }

  private alias(node: NodeDef): void {
    const from = nodeOf(node.inputs[0] ?? '');
    const constant = this.constants.get(from);
    if (constant) this.constants.set(node.name, constant);
    else this.set(node.name, this.value(node, 0));
  }

  /** Of two values, of two constants, or of a value and a number for each channel, which is half of an affine map. */
  private sumOrProduct(node: NodeDef, op: 'mul' | 'add'): void {
    const { name, inputs } = node;
    const [first, second] = inputs.map((input) => this.constants.get(nodeOf(input)));
    if (first && second) {
      this.constants.set(name, this.combined(node, first, second, op));
      return;
    }
    if (!second) {
      const both = inputs.map((_, i) => this.value(node, i).name);
      const rest = { name, inputs: both, output: name, shape: [] };
      this.add(op === 'mul' ? { op, ...rest } : { op, ...rest, activation: 'none' });
      return;
    }
    const { name: from, shape } = this.value(node, 0);
    const values = Float64Array.from(second.values);
    if (values.length !== shape.at(-1)) throw this.odd(node, `${values.length} numbers for ${shape.at(-1)} channels`);
    const scale = op === 'mul' ? values : new Float64Array(values.length).fill(1);
    const offset = op === 'add' ? values : new Float64Array(values.length);
    this.drafts.push({ op: 'norm', name, inputs: [from], output: name, shape, scale, offset });
    this.set(name, { name, shape });
  }

  /** The second has the last axes of the first: integers and their scales. */
  private combined(node: NodeDef, first: Constant, second: Constant, op: 'mul' | 'add'): Constant {
    const { length } = second.values;
    const fits = first.shape.slice(first.shape.length - second.shape.length).join() === second.shape.join();
    if (!fits || length === 0) throw this.odd(node, `constants of [${first.shape}] and [${second.shape}]`);
    const values = first.values.map((value, i) =>
      op === 'mul' ? value * second.values[i % length] : value + second.values[i % length],
    );
    return { shape: first.shape, values };
  }

  private slide(node: NodeDef, size: Shape): { strides: Pair; dilation: Pair; padding: Padding } {
    const [rows = 0, columns = 0] = this.value(node, 0).shape;
    const [height = 0, width = 0] = size;
    const strides = pairOf(node, 'strides');
    const dilation = pairOf(node, 'dilations');
    const { padding, data_format: format } = node.attributes;
    const kind = padding && 'text' in padding ? padding.text : '';
    if (format && 'text' in format && format.text !== 'NHWC') throw this.odd(node, `the layout ${show(format.text)}`);
    if (kind === 'VALID') return { strides, dilation, padding: [0, 0, 0, 0] };
    if (kind !== 'SAME') throw this.odd(node, `the padding ${show(kind)}`);
    const same = samePadding({ input: [rows, columns], size: [height, width], strides, dilation });
    return { strides, dilation, padding: same };
  }

  private paddingOf(node: NodeDef): Padding {
    const [, , top = 0, bottom = 0, left = 0, right = 0] = this.constant(node, 1).values;
    return [top, bottom, left, right];
  }

  /** Padding that a maximum never takes is a max-pool's own: it is noted down until that is read. */
  private padLowest(node: NodeDef): void {
    const [value] = this.constant(node, 2).values;
    if (value > LOWEST) throw this.odd(node, `the value ${value}`);
    this.values.set(node.name, this.value(node, 0));
    this.padded.set(node.name, this.paddingOf(node));
  }

  private value(node: NodeDef, place: number): Value {
    const from = nodeOf(node.inputs[place] ?? '');
    const value = this.values.get(from);
    if (this.padded.has(from) && node.op !== 'MaxPool') throw this.odd(node, 'padding that is none of zeros');
    if (!value) throw new ModelError(`${this.file}: node ${show(node.name)}: nothing makes its input ${show(from)}`);
    return value;
  }

  private constant(node: NodeDef, place: number): Constant {
    const constant = this.constants.get(nodeOf(node.inputs[place] ?? ''));
    if (!constant) throw this.odd(node, 'an input that is computed');
    return constant;
  }

  private odd({ name, op }: NodeDef, what: string): ModelError {
    return new ModelError(`${this.file}: node ${show(name)}: our own engine does not run ${op} with ${what}`);
  }
}

function zeros(length: number): Constant {
  return { shape: [length], values: new Float32Array(length) };
}

function pairOf({ attributes }: NodeDef, name: string): Pair {
  const attribute = attributes[name];
  const [, rows = 1, columns = 1] = attribute && 'ints' in attribute ? attribute.ints : [];
  return [rows, columns];
}

function flagOf({ attributes }: NodeDef, name: string): boolean {
  const attribute = attributes[name];
  return attribute !== undefined && 'flag' in attribute && attribute.flag;
}

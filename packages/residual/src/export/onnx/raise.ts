/** An ONNX file that we wrote, back as an inference graph, so that our own engine runs it: `lower.ts` in reverse.
 *  Other files are taken as far as they use the same operators in the same way; what differs is named. */

import { ModelError } from '../../models/errors.ts';
import type { Quantization } from '../../quantize/parameters.ts';
import { artefactFromTexts } from '../artefact.ts';
import { checkGraph, shapeOf } from '../graph/check.ts';
import {
  type Constant,
  type GraphNode,
  type InferenceGraph,
  type Padding,
  type Pair,
  type Shape,
  sizeOf,
} from '../graph/graph.ts';
import type { DraftNode } from '../graph/layers.ts';
import { simplify } from '../graph/passes.ts';
import { moved } from '../graph/transpose.ts';
import { floatsOf, int64sOf, type OnnxModel, type OnnxNode, type OnnxTensor } from './model.ts';
import { PICTURE } from './picture.ts';
import { RaisedIntegers } from './raise-integers.ts';

export interface RaisedOnnx {
  readonly graph: InferenceGraph;
  /** Of a file with QuantizeLinear and DequantizeLinear: the graph's constants are floats, these are their integers. */
  readonly quantization?: Quantization;
}

/**
 * @param file its name, for messages
 * @throws ModelError for operators and forms that our files do not have, naming the node
 */
export function raiseOnnx(model: OnnxModel, file: string): RaisedOnnx {
  const info = artefactFromTexts(model.metadata, file);
  const { architecture: name, classes, preprocessing, range, gives } = info;
  const [input, ...otherInputs] = model.inputs;
  const [output, ...otherOutputs] = model.outputs;
  if (!input || !output || otherInputs.length > 0 || otherOutputs.length > 0) {
    throw new ModelError(`${file}: must have one input and one output`);
  }
  const shape: Shape = preprocessing.inputShape;
  const raising = new Raising(model, file);
  raising.begin(input.name, shape, info.layout);
  // Pictures are brought to the input's size before they come to our own engine.
  const [resizing, network] = [true, false].map((is) => model.nodes.filter((n) => n.name.startsWith(PICTURE) === is));
  const resized = resizing?.at(-1)?.outputs[0];
  if (resized !== undefined) raising.alias(resized, input.name);
  for (const node of network ?? []) raising.node(node);
  const end = raising.valueOf(output.name).name;
  const nodes = simplify(raising.drafts, end).map((node) =>
    node.output === end ? { ...node, output: output.name } : node,
  );
  const graph: InferenceGraph = {
    ...{ name, classes, preprocessing, gives, nodes },
    input: { name: input.name, shape, range },
    output: output.name,
  };
  checkGraph(graph);
  const quantization = raising.integers.quantization(nodes);
  for (const name of Object.keys(quantization?.values ?? {})) {
    if (name !== input.name && !nodes.some((node) => node.output === name)) {
      throw new ModelError(`${file}: rounds ${name} where our own engine has no value of its own`);
    }
  }
  return { graph, ...(quantization && { quantization }) };
}

/** What a value of the file is in the graph. */
interface Raised {
  readonly name: string;
  /** Channels last, without the batch. */
  readonly shape: Shape;
  /** Where the file has its channels. */
  readonly layout: 'NCHW' | 'NHWC';
}

class Raising {
  readonly drafts: DraftNode[] = [];
  private readonly file: string;
  private readonly tensors: ReadonlyMap<string, OnnxTensor>;
  private readonly values = new Map<string, Raised>();
  readonly integers: RaisedIntegers;

  constructor(model: OnnxModel, file: string) {
    this.file = file;
    this.tensors = new Map(model.initializers.map((tensor) => [tensor.name, tensor]));
    this.integers = new RaisedIntegers(this.tensors, file);
  }

  begin(name: string, shape: Shape, layout: Raised['layout']): void {
    this.values.set(name, { name, shape, layout });
  }

  /** A value that is another, channels first. */
  alias(name: string, of: string): void {
    this.values.set(name, { ...this.valueOf(of), layout: 'NCHW' });
  }

  valueOf(name: string): Raised {
    const value = this.values.get(name);
    if (!value) throw new ModelError(`${this.file}: nothing makes ${name}`);
    return value;
  }

  node(node: OnnxNode): void {
    const { type, outputs } = node;
    const [to = ''] = outputs;
    switch (type) {
      case 'Cast':
        this.values.set(to, this.input(node));
        break;
      case 'QuantizeLinear':
        if (this.integers.quantizedConstant(node)) break;
        this.integers.round(node, this.input(node).name);
        this.values.set(to, this.input(node));
        break;
      case 'DequantizeLinear':
        if (!this.integers.constant(node)) this.values.set(to, this.input(node));
        break;
      case 'Transpose':
        this.values.set(to, this.transposed(node));
        break;
      case 'Flatten':
        this.reshape(node, [sizeOf(this.input(node).shape)]);
        break;
      case 'Reshape':
        this.reshape(node, int64sOf(this.tensor(node, 1)).slice(1));
        break;
      case 'Slice':
        this.shortenPad(node);
        break;
      case 'Mul':
      case 'Add':
        this.sumOrProduct(node, type);
        break;
      default:
        this.add(node, this.made(node));
    }
  }

  /** Operators that are nodes of the graph as they are. */
  private made(node: OnnxNode): GraphNode {
    const { name, type, inputs, outputs } = node;
    const [output = ''] = outputs;
    const base = { name, inputs: [this.input(node).name], output, shape: [] };
    const activation = 'none';
    switch (type) {
      case 'Conv': {
        const kernel = this.constant(node, 1);
        const [filters = 0, perGroup = 0, height = 0, width = 0] = kernel.shape;
        const group = intOf(node, 'group', 1);
        this.integers.node(name, inputs[1] ?? '', inputs[2] ?? '');
        const bias = inputs[2] ? this.constant(node, 2) : { shape: [filters], values: new Float32Array(filters) };
        const rest = { bias, ...slideOf(node), dilation: pairOf(node, 'dilations'), activation } as const;
        if (group === 1) return { op: 'conv2d', ...base, filter: moved(kernel, [2, 3, 1, 0]), ...rest };
        if (perGroup !== 1) throw this.odd(node, 'groups of more than one channel');
        const split = { shape: [group, filters / group, height, width], values: kernel.values };
        return { op: 'depthwiseConv2d', ...base, filter: moved(split, [2, 3, 0, 1]), ...rest };
      }
      case 'Gemm': {
        const kernel = this.constant(node, 1);
        this.integers.node(name, inputs[1] ?? '', inputs[2] ?? '');
        const weights = intOf(node, 'transB', 0) === 1 ? moved(kernel, [1, 0]) : kernel;
        return { op: 'dense', ...base, weights, bias: this.constant(node, 2), activation };
      }
      case 'MaxPool':
        return { op: 'maxPool', ...base, size: pairOf(node, 'kernel_shape'), ...slideOf(node) };
      case 'AveragePool': {
        const countPadding = intOf(node, 'count_include_pad', 0) === 1;
        return { op: 'averagePool', ...base, size: pairOf(node, 'kernel_shape'), ...slideOf(node), countPadding };
      }
      case 'GlobalAveragePool':
        return { op: 'globalAveragePool', ...base };
      case 'Pad': {
        const [, , top = 0, left = 0, , , bottom = 0, right = 0] = int64sOf(this.tensor(node, 1));
        return { op: 'pad', ...base, padding: [top, bottom, left, right] };
      }
      case 'Relu':
        return { op: 'relu', ...base };
      case 'Clip': {
        const [low, high] = [1, 2].map((place) => this.constant(node, place).values[0]);
        if (low !== 0 || high !== 6) throw this.odd(node, `limits of ${low} and ${high}`);
        return { op: 'relu6', ...base };
      }
      case 'Sigmoid':
        return { op: 'sigmoid', ...base };
      case 'Softmax':
        return { op: 'softmax', ...base };
      case 'Concat':
        return { op: 'concat', ...base, inputs: inputs.map((one) => this.valueOf(one).name) };
      default:
        throw new ModelError(`${this.file}: node ${name}: the operator ${type} is not run by our own engine`);
    }
  }

  private add(node: OnnxNode, made: GraphNode): void {
    const inputs = node.inputs.filter((name) => this.values.has(name)).map((name) => this.valueOf(name).shape);
    const shape = shapeOf(made, inputs);
    if (!shape) throw this.odd(node, `inputs of ${inputs.map((one) => `[${one}]`).join(' and ')}`);
    this.drafts.push({ ...made, shape } as GraphNode);
    this.values.set(made.output, { name: made.output, shape, layout: 'NCHW' });
  }

  /** Of two values, or of a value and a number for each channel, which is half of an affine map. */
  private sumOrProduct(node: OnnxNode, type: 'Mul' | 'Add'): void {
    const { name, inputs, outputs } = node;
    const [output = ''] = outputs;
    const second = this.tensors.get(inputs[1] ?? '');
    if (!second) {
      const op = type === 'Mul' ? ({ op: 'mul' } as const) : ({ op: 'add', activation: 'none' } as const);
      this.add(node, { ...op, name, inputs: inputs.map((one) => this.valueOf(one).name), output, shape: [] });
      return;
    }
    const { name: from, shape } = this.input(node);
    const values = Float64Array.from(floatsOf(second));
    if (values.length !== shape.at(-1)) throw this.odd(node, `${values.length} numbers for ${shape.at(-1)} channels`);
    const scale = type === 'Mul' ? values : new Float64Array(values.length).fill(1);
    const offset = type === 'Add' ? values : new Float64Array(values.length);
    this.drafts.push({ op: 'norm', name, inputs: [from], output, shape, scale, offset });
    this.values.set(output, { name: output, shape, layout: 'NCHW' });
  }

  /** Between channels first and last: the graph's order stays, only the file's is another now. */
  private transposed(node: OnnxNode): Raised {
    const value = this.input(node);
    const order = intsOf(node, 'perm').join();
    if (order === '0,3,1,2' && value.layout === 'NHWC') return { ...value, layout: 'NCHW' };
    if (order === '0,2,3,1' && value.layout === 'NCHW') return { ...value, layout: 'NHWC' };
    throw this.odd(node, `the order ${order}`);
  }

  private reshape(node: OnnxNode, target: readonly number[]): void {
    const { name, shape, layout } = this.input(node);
    const [output = ''] = node.outputs;
    const [height = 1, width = 1, channels = 1] = shape;
    const sameOrder = shape.length !== 3 || height * width === 1 || channels === 1;
    if (layout === 'NCHW' && !sameOrder) throw this.odd(node, 'numbers with their channels first');
    // Channels first, where that is no other order: [channels, 1, 1].
    const [a = 1, b = 1, c = 1] = target;
    const first = layout === 'NCHW' && target.length === 3;
    const to = first ? [b, c, a] : [...target];
    if (first && a !== 1 && b * c !== 1) throw this.odd(node, `the shape ${target}`);
    if (sizeOf(to) !== sizeOf(shape)) throw this.odd(node, `the shape ${target}`);
    if (to.join() === shape.join()) {
      this.values.set(output, { name, shape, layout });
      return;
    }
    this.drafts.push({ op: 'reshape', name: node.name, inputs: [name], output, shape: to });
    this.values.set(output, { name: output, shape: to, layout });
  }

  /** The rows that `lower.ts` pads too many before a max-pool are taken off again. */
  private shortenPad(node: OnnxNode): void {
    const { name, shape } = this.input(node);
    const at = this.drafts.findIndex(({ output }) => output === name);
    const pad = this.drafts[at];
    const [start, end = 0, axis] = [1, 2, 3].map((place) => int64sOf(this.tensor(node, place))[0]);
    if (pad?.op !== 'pad' || start !== 0 || axis !== 2) throw this.odd(node, 'what is no padding');
    const [top, bottom, left, right] = pad.padding;
    const [rows = 0, columns = 0, channels = 0] = shape;
    const cut: Shape = [end, columns, channels];
    this.drafts[at] = { ...pad, padding: [top, bottom - (rows - end), left, right], shape: cut };
    this.values.set(node.outputs[0] ?? '', { name, shape: cut, layout: 'NCHW' });
  }

  private input({ inputs }: OnnxNode): Raised {
    return this.valueOf(inputs[0] ?? '');
  }

  private tensor(node: OnnxNode, place: number): OnnxTensor {
    const tensor = this.tensors.get(node.inputs[place] ?? '');
    if (!tensor) throw this.odd(node, 'an input that is computed');
    return tensor;
  }

  private constant(node: OnnxNode, place: number): Constant {
    const stored = this.integers.floatsBehind(node.inputs[place] ?? '');
    if (stored) return stored;
    const tensor = this.tensor(node, place);
    return { shape: tensor.dims, values: floatsOf(tensor) };
  }

  private odd({ name, type }: OnnxNode, what: string): ModelError {
    return new ModelError(`${this.file}: node ${name}: our own engine does not run ${type} with ${what}`);
  }
}

function slideOf(node: OnnxNode): { strides: Pair; padding: Padding } {
  const [top = 0, left = 0, bottom = 0, right = 0] = intsOf(node, 'pads');
  return { strides: pairOf(node, 'strides'), padding: [top, bottom, left, right] };
}

function pairOf(node: OnnxNode, name: string): Pair {
  const [rows = 1, columns = 1] = intsOf(node, name);
  return [rows, columns];
}

function intsOf({ attributes }: OnnxNode, name: string): readonly number[] {
  const attribute = attributes[name];
  return attribute && 'ints' in attribute ? attribute.ints : [];
}

function intOf({ attributes }: OnnxNode, name: string, otherwise: number): number {
  const attribute = attributes[name];
  return attribute && 'int' in attribute ? attribute.int : otherwise;
}

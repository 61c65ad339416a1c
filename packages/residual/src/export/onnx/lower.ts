/** The inference graph in ONNX's operators: channels first inside, torchvision's names at the edges.
 *  https://github.com/onnx/onnx/blob/main/docs/Operators.md; all of these are the same from opset 13 to 17. */

import type { Quantization } from '../../quantize/parameters.ts';
import { artefactOf, artefactSentence, artefactToTexts, type Layout, type Precision } from '../artefact.ts';
import {
  type Activation,
  type Constant,
  type GraphNode,
  type InferenceGraph,
  type Pad,
  type Padding,
  type Shape,
  shapesOf,
} from '../graph/graph.ts';
import { moved } from '../graph/transpose.ts';
import { type Emitted, Integers } from './integers.ts';
import { type Attribute, floatTensor, int64Tensor, type OnnxModel, type OnnxNode, type OnnxTensor } from './model.ts';
import { pictureNodes } from './picture.ts';
import type { QuantizationProfile } from './placement.ts';

export interface LowerOptions {
  readonly opset: number;
  /** Of the input. */
  readonly layout: Layout;
  /** Of the input: `uint8` for pictures as they are, where the graph takes bytes. */
  readonly type: 'float32' | 'uint8';
  /** Takes bytes of pictures of any size, channels last. */
  readonly anySize?: boolean;
  /** For the metadata; everything is float32 here. */
  readonly precision: Precision;
  readonly producer: OnnxModel['producer'];
  /** For a file of integers. */
  readonly integers?: { readonly quantization: Quantization; readonly profile: QuantizationProfile };
}

export function lowerToOnnx(graph: InferenceGraph, options: LowerOptions): OnnxModel {
  const { layout, type, opset, precision, producer, integers, anySize = false } = options;
  const info = artefactOf(graph, layout, precision);
  const lowering = new Lowering(graph, integers && new Integers(graph, integers.quantization, integers.profile));
  if (anySize) lowering.anyPicture();
  else lowering.input(layout, type);
  for (const node of graph.nodes) lowering.node(node);
  const [height = 0, width = 0, channels = 0] = graph.input.shape;
  const sizes = anySize ? ['height', 'width'] : [height, width];
  const dims = layout === 'NCHW' ? [channels, ...sizes] : [...sizes, channels];
  return {
    opset,
    name: graph.name,
    nodes: lowering.nodes,
    initializers: lowering.initializers,
    inputs: [{ name: graph.input.name, type, dims: ['batch', ...dims] }],
    outputs: [{ name: graph.output, type: 'float32', dims: ['batch', graph.classes.length] }],
    metadata: {
      ...artefactToTexts(info),
      ...(integers && { profile: integers.profile }),
      ...(anySize && { input: 'picture' }),
    },
    doc: anySize
      ? `${artefactSentence(info)} The file does so itself: it takes any height and width.`
      : artefactSentence(info),
    producer,
  };
}

class Lowering {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  private readonly shapes: ReadonlyMap<string, Shape>;
  private readonly graph: InferenceGraph;
  private readonly integers: Integers | undefined;
  /** Under which name a value of the graph is read, where it is another than its own. */
  private readonly readAs = new Map<string, string>();

  constructor(graph: InferenceGraph, integers?: Integers) {
    this.graph = graph;
    this.shapes = shapesOf(graph);
    this.integers = integers;
  }

  input(layout: Layout, type: 'float32' | 'uint8'): void {
    const { name } = this.graph.input;
    let picture = name;
    // A picture of bytes is a quarter of its floats: it is moved first and widened after.
    if (layout === 'NHWC') picture = this.emit('Transpose', 'input.nchw', [picture], { perm: ints([0, 3, 1, 2]) });
    if (type === 'uint8') picture = this.emit('Cast', 'input.float', [picture], { to: { int: 1 } });
    this.readAs.set(name, this.rounded(name, picture, name));
  }

  anyPicture(): void {
    const { input, preprocessing } = this.graph;
    this.readAs.set(
      input.name,
      this.rounded(input.name, this.emitted(pictureNodes(input.name, preprocessing)), input.name),
    );
  }

  node(node: GraphNode): void {
    this.operation(node);
    const { output } = node;
    this.readAs.set(output, this.rounded(output, output, output));
  }

  private operation(node: GraphNode): void {
    const { name, output } = node;
    const inputs = node.inputs.map((value) => this.readAs.get(value) ?? value);
    const shapes = node.inputs.map((value) => this.shapes.get(value) ?? []);
    const [x = ''] = inputs;
    const [from = []] = shapes;
    switch (node.op) {
      case 'conv2d': {
        const weight = this.weight(node, node.filter, (filter) => moved(filter, [3, 2, 0, 1]));
        const bias = this.bias(node);
        this.activated(node, 'Conv', [x, weight, bias], {
          ...slideOf(node),
          ...kernelOf(node.filter),
          group: { int: 1 },
        });
        break;
      }
      case 'depthwiseConv2d': {
        const [height = 0, width = 0, channels = 0, multiplier = 0] = node.filter.shape;
        const shape = [channels * multiplier, 1, height, width];
        const weight = this.weight(node, node.filter, (filter) => ({ ...moved(filter, [2, 3, 0, 1]), shape }));
        const bias = this.bias(node);
        const group = { int: channels };
        this.activated(node, 'Conv', [x, weight, bias], { ...slideOf(node), ...kernelOf(node.filter), group });
        break;
      }
      case 'dense': {
        const weight = this.weight(node, node.weights, (weights) => moved(weights, [1, 0]));
        const bias = this.bias(node);
        this.activated(node, 'Gemm', [x, weight, bias], { transB: { int: 1 } });
        break;
      }
      case 'affine': {
        const perChannel = ({ values }: Constant): Constant => ({
          shape: from.length === 3 ? [values.length, 1, 1] : [values.length],
          values,
        });
        const scale = this.constant(`${name}.scale`, perChannel(node.scale));
        const offset = this.constant(`${name}.offset`, perChannel(node.offset));
        const product = this.emit('Mul', `${name}.mul`, [x, scale]);
        this.activated(node, 'Add', [product, offset]);
        break;
      }
      case 'add':
        this.activated(node, 'Add', inputs);
        break;
      case 'mul':
        this.emit('Mul', name, inputs, {}, output);
        break;
      case 'maxPool':
        this.emit('MaxPool', name, inputs, { ...slideOf(node), kernel_shape: ints(node.size) }, output);
        break;
      case 'averagePool': {
        const count_include_pad = { int: node.countPadding ? 1 : 0 };
        const attributes = { ...slideOf(node), kernel_shape: ints(node.size), count_include_pad };
        this.emit('AveragePool', name, inputs, attributes, output);
        break;
      }
      case 'globalAveragePool': {
        // Rounded on both sides of the flattening, which then moves integers.
        const mean = this.rounded(output, this.emit('GlobalAveragePool', name, inputs), `${name}.mean`);
        this.emit('Flatten', `${name}.flatten`, [mean], { axis: { int: 1 } }, output);
        break;
      }
      case 'pad':
        this.pad(node, x);
        break;
      case 'relu':
      case 'relu6':
        this.activation(node.op, name, x, output);
        break;
      case 'sigmoid':
        this.emit('Sigmoid', name, inputs, {}, output);
        break;
      case 'softmax':
        this.emit('Softmax', name, inputs, { axis: { int: 1 } }, output);
        break;
      case 'reshape':
        this.reshape(name, x, from, node.shape, output);
        break;
      case 'concat':
        this.emit('Concat', name, inputs, { axis: { int: 1 } }, output);
        break;
      default:
        node satisfies never;
    }
  }

  private pad({ name, padding: [top, bottom, left, right], shape, output }: Pad, x: string): void {
    const pooled = this.graph.nodes.some(({ op, inputs }) => op === 'maxPool' && inputs.includes(output));
    // ONNX Runtime 1.30 makes a Pad part of the MaxPool that reads it, where its zeros become -infinity (1.32 does not).
    // It leaves it alone if something stands between them: a row too many, taken off again.
    const pads = this.add(int64Tensor(`${name}.pads`, [0, 0, top, left, 0, 0, bottom + (pooled ? 1 : 0), right]));
    const mode = { mode: { text: 'constant' } };
    if (!pooled) {
      this.emit('Pad', name, [x, pads], mode, output);
      return;
    }
    const start = this.add(int64Tensor(`${name}.start`, [0]));
    const end = this.add(int64Tensor(`${name}.end`, [shape[0] ?? 0]));
    const axis = this.add(int64Tensor(`${name}.axis`, [2]));
    this.emit('Slice', `${name}.slice`, [this.emit('Pad', name, [x, pads], mode), start, end, axis], {}, output);
  }

  /** The graph's order is channels last: where that makes a difference the numbers are brought into it and back. */
  private reshape(name: string, x: string, from: Shape, to: Shape, output: string): void {
    const before = isMap(from) ? this.emit('Transpose', `${name}.nhwc`, [x], { perm: ints([0, 2, 3, 1]) }) : x;
    const [height = 0, width = 0, channels = 0] = to;
    const mapped = isMap(to);
    // Where one pixel is all there is, both orders are the same.
    const target = to.length === 3 && !mapped ? [channels, height, width] : to;
    const shape = this.add(int64Tensor(`${name}.shape`, [0, ...target]));
    const inputs = [before, shape];
    if (!mapped) this.emit('Reshape', name, inputs, {}, output);
    else
      this.emit(
        'Transpose',
        `${name}.nchw`,
        [this.emit('Reshape', name, inputs)],
        { perm: ints([0, 3, 1, 2]) },
        output,
      );
  }

  /** An operator, and after it the node's activation. */
  private activated(
    node: Extract<GraphNode, { readonly activation: Activation }>,
    type: string,
    inputs: readonly string[],
    attributes: OnnxNode['attributes'] = {},
  ): void {
    const { name, output, activation } = node;
    if (activation === 'none') {
      this.emit(type, name, inputs, attributes, output);
    } else {
      this.activation(activation, `${name}.${activation}`, this.emit(type, name, inputs, attributes), output);
    }
  }

  private activation(kind: 'relu' | 'relu6', name: string, x: string, output: string): void {
    if (kind === 'relu') {
      this.emit('Relu', name, [x], {}, output);
    } else {
      const low = this.add(floatTensor(`${name}.min`, [], Float32Array.of(0)));
      const high = this.add(floatTensor(`${name}.max`, [], Float32Array.of(6)));
      this.emit('Clip', name, [x, low, high], {}, output);
    }
  }

  /** Notes a node down; its value has the node's name with `:0` where the graph gives it no other. */
  private emit(
    type: string,
    name: string,
    inputs: readonly string[],
    attributes: OnnxNode['attributes'] = {},
    output = `${name}:0`,
  ): string {
    this.nodes.push({ type, name, inputs, outputs: [output], attributes });
    return output;
  }

  /** The value as integers would give it back, where the quantization rounds it. */
  private rounded(value: string, from: string, name: string): string {
    const parameters = this.integers?.parametersOf(value);
    return parameters && this.integers ? this.emitted(this.integers.pair(from, name, parameters)) : from;
  }

  private weight({ name }: GraphNode, constant: Constant, arrange: (constant: Constant) => Constant): string {
    const integers = this.integers?.weights(name, constant, arrange);
    return integers ? this.emitted(integers) : this.constant(`${name}.weight`, arrange(constant));
  }

  private bias({ name, inputs: [input = ''], bias }: Extract<GraphNode, { readonly bias: Constant }>): string {
    const integers = this.integers?.bias(name, input);
    return integers ? this.emitted(integers) : this.constant(`${name}.bias`, bias);
  }

  private emitted({ nodes, initializers, output }: Emitted): string {
    this.nodes.push(...nodes);
    this.initializers.push(...initializers);
    return output;
  }

  private constant(name: string, { shape, values }: Constant): string {
    return this.add(floatTensor(name, shape, values));
  }

  private add(tensor: OnnxTensor): string {
    this.initializers.push(tensor);
    return tensor.name;
  }
}

/** Whether numbers lie otherwise with channels first than with channels last. */
function isMap(shape: Shape): boolean {
  const [height = 0, width = 0, channels = 0] = shape;
  return shape.length === 3 && height * width > 1 && channels > 1;
}

function ints(values: readonly number[]): Attribute {
  return { ints: values };
}

function kernelOf({ shape: [height = 0, width = 0] }: Constant) {
  return { kernel_shape: ints([height, width]) };
}

function slideOf(node: {
  readonly strides: readonly number[];
  readonly padding: Padding;
  readonly dilation?: readonly number[];
}) {
  const [top, bottom, left, right] = node.padding;
  const dilations = node.dilation === undefined ? {} : { dilations: ints(node.dilation) };
  return { strides: ints(node.strides), pads: ints([top, left, bottom, right]), ...dilations };
}

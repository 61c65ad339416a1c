/** The inference graph in TensorFlow's operators, channels last: for SavedModels, and fused for TF.js graph models.
 *  https://www.tensorflow.org/api_docs/python/tf/raw_ops; padding that SAME cannot say is an operator of its own. */

import { ModelError } from '../../models/errors.ts';
import {
  type Activation,
  type AveragePool,
  type Constant,
  type GraphNode,
  type InferenceGraph,
  type MaxPool,
  type Padding,
  type Pair,
  shapesOf,
} from '../graph/graph.ts';
import { neverNegative } from '../tflite/never-negative.ts';
import { paddingKind } from '../tflite/padding.ts';
import {
  type Attribute,
  constantNode,
  type DataType,
  type Edge,
  LOWEST,
  type NodeDef,
  NodeNames,
} from './graph-def.ts';

export interface LowerOptions {
  /** One operator for a convolution or product with its bias and ReLU, as TF.js runs them; TensorFlow fuses by itself. */
  readonly fused: boolean;
  /** Of the input: a graph that takes bytes may take them as such. */
  readonly input: DataType;
  /**
   * Puts trained numbers where they are kept.
   *
   * @param name free in the graph; those of nodes that are added must begin with it
   * @param kind weights are many and bear rounding, others are few and bear none
   * @returns nodes that give the numbers as float32, the last one's value being they
   */
  readonly trained: (name: string, constant: Constant, kind: 'weights' | 'other') => readonly NodeDef[];
}

export interface LoweredGraph {
  readonly nodes: readonly NodeDef[];
  readonly input: Edge;
  readonly output: Edge;
}

const FLOAT: Attribute = { type: 'float32' };
const T = { T: FLOAT };
const NHWC: Attribute = { text: 'NHWC' };

/** @throws ModelError for padding of an average pool that TensorFlow does not have */
export function lowerToTensorflow(graph: InferenceGraph, options: LowerOptions): LoweredGraph {
  const lowering = new Lowering(graph, options);
  for (const node of graph.nodes) lowering.node(node);
  return lowering.finish();
}

class Lowering {
  private readonly graph: InferenceGraph;
  private readonly options: LowerOptions;
  private readonly nodes: NodeDef[] = [];
  private readonly names = new NodeNames();
  /** From values of the graph to the nodes that give them. */
  private readonly values = new Map<string, string>();
  private readonly shapes: ReturnType<typeof shapesOf>;
  private readonly input: Edge;
  private readonly outputName: string;

  constructor(graph: InferenceGraph, options: LowerOptions) {
    this.graph = graph;
    this.options = options;
    this.shapes = shapesOf(graph);
    const { name, shape } = graph.input;
    const type = options.input;
    this.input = { node: this.names.of(name), type, shape: [-1, ...shape] };
    this.outputName = this.names.of(graph.output);
    const attributes = { dtype: { type }, shape: { shape: this.input.shape } };
    this.nodes.push({ name: this.input.node, op: 'Placeholder', inputs: [], attributes });
    const floats =
      type === 'float32'
        ? this.input.node
        : this.add('Cast', `${name}/Cast`, [this.input.node], { SrcT: { type }, DstT: FLOAT });
    this.values.set(name, floats);
  }

  finish(): LoweredGraph {
    const { output, classes } = this.graph;
    this.nodes.push({ name: this.outputName, op: 'Identity', inputs: [this.valueOf(output)], attributes: T });
    return {
      nodes: this.nodes,
      input: this.input,
      output: { node: this.outputName, type: 'float32', shape: [-1, classes.length] },
    };
  }

  node(node: GraphNode): void {
    this.values.set(
      node.output,
      this.valueFor(
        node,
        node.inputs.map((name) => this.valueOf(name)),
      ),
    );
  }

  private valueFor(node: GraphNode, inputs: readonly string[]): string {
    const { name } = node;
    const [x = ''] = inputs;
    const { fused } = this.options;
    switch (node.op) {
      case 'conv2d': {
        const [filter, bias] = [this.weights(`${name}/kernel`, node.filter), this.other(`${name}/bias`, node.bias)];
        const op = fused ? '_FusedConv2D' : 'Conv2D';
        return this.linear(name, op, [this.padded(node, x), filter, bias], this.sliding(node), node.activation);
      }
      case 'depthwiseConv2d': {
        const filter = this.weights(`${name}/depthwise_kernel`, node.filter);
        const bias = this.other(`${name}/bias`, node.bias);
        const op = fused ? 'FusedDepthwiseConv2dNative' : 'DepthwiseConv2dNative';
        return this.linear(name, op, [this.padded(node, x), filter, bias], this.sliding(node), node.activation);
      }
      case 'dense': {
        const [kernel, bias] = [this.weights(`${name}/kernel`, node.weights), this.other(`${name}/bias`, node.bias)];
        const op = fused ? '_FusedMatMul' : 'MatMul';
        const attributes = { transpose_a: { flag: false }, transpose_b: { flag: false } };
        return this.linear(name, op, [x, kernel, bias], attributes, node.activation);
      }
      case 'affine': {
        const product = this.add('Mul', `${name}/Mul`, [x, this.other(`${name}/scale`, node.scale)], T);
        const sum = this.add('AddV2', `${name}/Add`, [product, this.other(`${name}/offset`, node.offset)], T);
        return this.activated(name, sum, node.activation);
      }
      case 'add':
        return this.activated(name, this.add('AddV2', `${name}/Add`, inputs, T), node.activation);
      case 'mul':
        return this.add('Mul', `${name}/Mul`, inputs, T);
      case 'maxPool':
      case 'averagePool':
        return this.pool(node, x);
      case 'globalAveragePool': {
        const axes = this.integers(`${name}/axes`, [1, 2]);
        const attributes = { ...T, Tidx: { type: 'int32' }, keep_dims: { flag: false } } as const;
        return this.add('Mean', `${name}/Mean`, [x, axes], attributes);
      }
      case 'pad':
        return this.pad(name, x, node.padding);
      case 'relu':
        return this.add('Relu', `${name}/Relu`, inputs, T);
      case 'relu6':
        return this.add('Relu6', `${name}/Relu6`, inputs, T);
      case 'sigmoid':
        return this.add('Sigmoid', `${name}/Sigmoid`, inputs, T);
      case 'softmax':
        return this.add('Softmax', `${name}/Softmax`, inputs, T);
      case 'reshape': {
        const shape = this.integers(`${name}/shape`, [-1, ...node.shape]);
        return this.add('Reshape', `${name}/Reshape`, [x, shape], { ...T, Tshape: { type: 'int32' } });
      }
      case 'concat': {
        const axis = this.constant(`${name}/axis`, { type: 'int32', shape: [], values: [node.shape.length] });
        const attributes = { ...T, Tidx: { type: 'int32' }, N: { int: inputs.length } } as const;
        return this.add('ConcatV2', `${name}/concat`, [...inputs, axis], attributes);
      }
      default:
        return node satisfies never;
    }
  }

  /** A convolution or a product: with its bias and its activation in one operator, or in one each. */
  private linear(
    name: string,
    op: string,
    [x = '', weights = '', bias = '']: readonly string[],
    attributes: NodeDef['attributes'],
    activation: Activation,
  ): string {
    if (this.options.fused) {
      const extras = activation === 'none' ? ['BiasAdd'] : ['BiasAdd', activation === 'relu' ? 'Relu' : 'Relu6'];
      const fusion = { fused_ops: { texts: extras }, num_args: { int: 1 }, epsilon: { float: 0 } };
      return this.add(op, `${name}/${op.replace(/^_?Fused/, '')}`, [x, weights, bias], {
        ...T,
        ...attributes,
        ...fusion,
      });
    }
    const sums = this.add(op, `${name}/${op}`, [x, weights], { ...T, ...attributes });
    const biased = this.add('BiasAdd', `${name}/BiasAdd`, [sums, bias], { ...T, data_format: NHWC });
    return this.activated(name, biased, activation);
  }

  private activated(name: string, x: string, activation: Activation): string {
    if (activation === 'none') return x;
    const op = activation === 'relu' ? 'Relu' : 'Relu6';
    return this.add(op, `${name}/${op}`, [x], T);
  }

  private pool(node: MaxPool | AveragePool, x: string): string {
    const { name, op, size } = node;
    const explicit = this.kindOf(node) === 'explicit';
    const isMax = op === 'maxPool';
    // SAME leaves padding out of the mean: one that counts it needs real zeros.
    const counted = !isMax && node.countPadding && node.padding.some((pixels) => pixels > 0);
    if (!isMax && explicit && !node.countPadding) {
      throw new ModelError(
        `${name}: TensorFlow's AvgPool leaves out padding only where it is SAME, not ${node.padding}`,
      );
    }
    const value = isMax && !neverNegative(this.graph, node.inputs[0] ?? '') ? LOWEST : 0;
    const before = explicit || counted ? this.pad(name, x, node.padding, value) : x;
    const padding = { text: explicit || counted ? 'VALID' : this.kindOf(node) };
    const attributes = { ...T, ksize: ints(size), strides: ints(node.strides), padding, data_format: NHWC };
    const type = isMax ? 'MaxPool' : 'AvgPool';
    return this.add(type, `${name}/${type}`, [before], attributes);
  }

  /** What a convolution takes: padded where SAME would pad otherwise. */
  private padded(node: Sliding, x: string): string {
    return this.kindOf(node) === 'explicit' ? this.pad(node.name, x, node.padding) : x;
  }

  private sliding(node: Sliding & { readonly dilation: Pair }): NodeDef['attributes'] {
    const kind = this.kindOf(node);
    return {
      strides: ints(node.strides),
      dilations: ints(node.dilation),
      padding: { text: kind === 'explicit' ? 'VALID' : kind },
      explicit_paddings: { ints: [] },
      data_format: NHWC,
    };
  }

  private kindOf(node: Sliding): 'SAME' | 'VALID' | 'explicit' {
    const [rows = 0, columns = 0] = this.shapes.get(node.inputs[0] ?? '') ?? [];
    const [height = 0, width = 0] = 'filter' in node ? node.filter.shape : node.size;
    const { strides, padding } = node;
    const dilation = 'dilation' in node ? node.dilation : ([1, 1] as const);
    return paddingKind(padding, { input: [rows, columns], size: [height, width], strides, dilation });
  }

  private pad(name: string, x: string, [top, bottom, left, right]: Padding, value = 0): string {
    const values = [0, 0, top, bottom, left, right, 0, 0];
    const paddings = this.constant(`${name}/paddings`, { type: 'int32', shape: [4, 2], values });
    const attributes = { ...T, Tpaddings: { type: 'int32' } } as const;
    if (value === 0) return this.add('Pad', `${name}/Pad`, [x, paddings], attributes);
    const filled = this.constant(`${name}/padding_value`, { type: 'float32', shape: [], values: [value] });
    return this.add('PadV2', `${name}/Pad`, [x, paddings, filled], attributes);
  }

  private weights(name: string, constant: Constant): string {
    return this.trained(name, constant, 'weights');
  }

  private other(name: string, constant: Constant): string {
    return this.trained(name, constant, 'other');
  }

  private trained(name: string, constant: Constant, kind: 'weights' | 'other'): string {
    const nodes = this.options.trained(this.names.of(name), constant, kind);
    this.nodes.push(...nodes);
    return nodes.at(-1)?.name ?? '';
  }

  private integers(name: string, values: readonly number[]): string {
    return this.constant(name, { type: 'int32', shape: [values.length], values });
  }

  private constant(name: string, tensor: Parameters<typeof constantNode>[1]): string {
    const node = constantNode(this.names.of(name), tensor);
    this.nodes.push(node);
    return node.name;
  }

  private add(op: string, name: string, inputs: readonly string[], attributes: NodeDef['attributes']): string {
    const free = this.names.of(name);
    this.nodes.push({ name: free, op, inputs, attributes });
    return free;
  }

  private valueOf(name: string): string {
    const value = this.values.get(name);
    if (value === undefined) throw new Error(`internal: ${name} is not made yet`);
    return value;
  }
}

type Sliding = Extract<GraphNode, { readonly padding: Padding; readonly strides: Pair }>;

/** Of rows and columns, with the batch and the channels around them. */
function ints([rows, columns]: Pair): Attribute {
  return { ints: [1, rows, columns, 1] };
}

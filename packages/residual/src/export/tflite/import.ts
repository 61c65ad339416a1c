/** A TFLite file of ours → the inference graph again, so that our own engine runs what phones run.
 *  Weights come back as floats; of an integer file the scales come along, to round as it does (`openQuantized`). */

import type { Quantization } from '../../quantize/parameters.ts';
import { WeightsError } from '../../weights/errors.ts';
import { checkGraph } from '../graph/check.ts';
import type { Activation, GraphNode, InferenceGraph, Padding, Pair } from '../graph/graph.ts';
import { moved } from '../graph/transpose.ts';
import { readModel } from './edges.ts';
import { artefactInTflite } from './metadata.ts';
import { samePadding } from './padding.ts';
import { ACTIVATION, BUILTIN, type Builtin, type ModelValue, type OperatorValue, PADDING } from './schema.ts';
import { Tensors } from './tensors.ts';

export interface ImportedTflite {
  readonly graph: InferenceGraph;
  /** Of a file that computes in 8-bit integers. */
  readonly quantization?: Quantization;
}

/**
 * Reads a file that `writeTflite` wrote.
 *
 * @param file its name, for messages
 * @throws WeightsError for a damaged file, and for operators that we do not write; ModelError where it does not say its
 *   class names and preprocessing
 */
export function readTflite(bytes: Uint8Array, file: string): ImportedTflite {
  const info = artefactInTflite(bytes, file);
  const model = readModel(bytes, file);
  const { nodes, tensors, input, output } = new Import(model, file).run();
  const graph: InferenceGraph = {
    name: info.architecture,
    input: { name: input, shape: info.preprocessing.inputShape, range: info.range },
    nodes,
    output,
    gives: info.gives,
    classes: info.classes,
    preprocessing: info.preprocessing,
  };
  checkGraph(graph);
  const quantization = tensors.quantization(nodes);
  return { graph, ...(quantization && { quantization }) };
}

type Options = Readonly<Record<string, number | boolean | readonly number[] | undefined>>;

/** One operator with its tensors by number. */
interface Step {
  readonly op: Builtin;
  readonly inputs: readonly number[];
  readonly output: number;
  readonly options: Options;
}

class Import {
  private readonly file: string;
  private readonly model: ModelValue;
  private readonly tensors: Tensors;
  private readonly nodes: GraphNode[] = [];
  /** Padding that never wins, put aside for the maximum that follows. */
  private readonly paddings = new Map<number, { readonly of: number; readonly padding: Padding }>();

  constructor(model: ModelValue, file: string) {
    this.model = model;
    this.file = file;
    this.tensors = new Tensors(model, file);
  }

  run() {
    const graph = this.model.subgraphs?.[0];
    for (const operator of graph?.operators ?? []) this.step(this.stepOf(operator));
    return {
      nodes: this.nodes,
      tensors: this.tensors,
      input: this.tensors.valueOf(graph?.inputs?.[0] ?? -1),
      output: this.tensors.valueOf(graph?.outputs?.[0] ?? -1),
    };
  }

  private stepOf({ opcodeIndex = 0, inputs = [], outputs = [], builtinOptions }: OperatorValue): Step {
    const code = this.model.operatorCodes?.[opcodeIndex];
    const number = Math.max(code?.builtinCode ?? -1, code?.deprecatedBuiltinCode ?? -1);
    const op = Object.entries(BUILTIN).find(([, value]) => value === number)?.[0];
    const [output, ...others] = outputs;
    if (!op || output === undefined || others.length > 0) {
      throw new WeightsError(`${this.file}: has operator ${number}, which files of residual export have not`);
    }
    return { op: op as Builtin, inputs, output, options: (builtinOptions?.value ?? {}) as Options };
  }

  private step(step: Step): void {
    const { op, inputs, output } = step;
    const [x = -1, second = -1, third = -1] = inputs;
    const { tensors } = this;
    switch (op) {
      case 'DEQUANTIZE':
      case 'QUANTIZE':
        tensors.alias(output, x);
        break;
      case 'CONV_2D':
        this.convolution(step, 'conv2d');
        break;
      case 'DEPTHWISE_CONV_2D':
        this.convolution(step, 'depthwiseConv2d');
        break;
      case 'FULLY_CONNECTED': {
        const weights = tensors.constant(second);
        this.add(step, {
          op: 'dense',
          inputs: [tensors.valueOf(x)],
          weights: moved(weights, [1, 0]),
          bias: tensors.constant(third),
          activation: this.activation(step),
        });
        break;
      }
      case 'ADD':
        this.add(step, { op: 'add', inputs: tensors.valuesOf(inputs), activation: this.activation(step) });
        break;
      case 'MUL':
        this.add(step, { op: 'mul', inputs: tensors.valuesOf(inputs) });
        break;
      case 'MAX_POOL_2D':
      case 'AVERAGE_POOL_2D':
        this.pool(step);
        break;
      case 'MEAN':
        this.add(step, { op: 'globalAveragePool', inputs: [tensors.valueOf(x)] });
        break;
      case 'PAD':
        this.add(step, { op: 'pad', inputs: [tensors.valueOf(x)], padding: this.paddingOf(second) });
        break;
      case 'PADV2':
        this.paddings.set(output, { of: x, padding: this.paddingOf(second) });
        break;
      case 'RELU':
        this.add(step, { op: 'relu', inputs: [tensors.valueOf(x)] });
        break;
      case 'RELU6':
        this.add(step, { op: 'relu6', inputs: [tensors.valueOf(x)] });
        break;
      case 'LOGISTIC':
        this.add(step, { op: 'sigmoid', inputs: [tensors.valueOf(x)] });
        break;
      case 'SOFTMAX':
        this.add(step, { op: 'softmax', inputs: [tensors.valueOf(x)] });
        break;
      case 'RESHAPE':
        this.add(step, { op: 'reshape', inputs: [tensors.valueOf(x)] });
        break;
      case 'CONCATENATION':
        this.add(step, { op: 'concat', inputs: tensors.valuesOf(inputs) });
        break;
      default:
        op satisfies never;
    }
  }

  private convolution(step: Step, op: 'conv2d' | 'depthwiseConv2d'): void {
    const [x = -1, second = -1, third = -1] = step.inputs;
    const weights = this.tensors.constant(second);
    const [, rows = 0, columns = 0, last = 0] = weights.shape;
    const channels = this.tensors.shapeOf(x).at(-1) ?? 0;
    // [outputs, rows, columns, inputs] or [1, rows, columns, channels · multiplier].
    const filter =
      op === 'conv2d'
        ? moved(weights, [1, 2, 3, 0])
        : { ...weights, shape: [rows, columns, channels, last / channels] };
    const { dilationHFactor = 1, dilationWFactor = 1 } = step.options;
    const dilation: Pair = [Number(dilationHFactor), Number(dilationWFactor)];
    this.add(step, {
      op,
      inputs: [this.tensors.valueOf(x)],
      filter,
      bias: this.tensors.constant(third),
      strides: this.strides(step),
      dilation,
      padding: this.padding(step, x, [rows, columns], dilation),
      activation: this.activation(step),
    });
  }

  private pool(step: Step): void {
    const [from = -1] = step.inputs;
    const aside = this.paddings.get(from);
    const x = aside?.of ?? from;
    const size: Pair = [Number(step.options.filterHeight), Number(step.options.filterWidth)];
    const common = {
      inputs: [this.tensors.valueOf(x)],
      size,
      strides: this.strides(step),
      padding: aside?.padding ?? this.padding(step, x, size, [1, 1]),
    };
    if (step.op === 'MAX_POOL_2D') this.add(step, { op: 'maxPool', ...common });
    else this.add(step, { op: 'averagePool', ...common, countPadding: false });
  }

  private add(step: Step, node: Unnamed): void {
    const output = this.tensors.valueOf(step.output);
    const [, weights = -1, bias = -1] = step.inputs;
    if (constantsIn(node)) this.tensors.noteTrained(output, weights, bias);
    this.nodes.push({ ...node, name: output, output, shape: this.tensors.shapeOf(step.output) });
  }

  private strides({ options }: Step): Pair {
    return [Number(options.strideH), Number(options.strideW)];
  }

  private padding({ options, inputs }: Step, x: number, size: Pair, dilation: Pair): Padding {
    if (options.padding === PADDING.VALID) return [0, 0, 0, 0];
    const [height = 0, width = 0] = this.tensors.shapeOf(x);
    const strides = this.strides({ options, inputs } as Step);
    return samePadding({ input: [height, width], size, strides, dilation });
  }

  /** From [[0, 0], [top, bottom], [left, right], [0, 0]]. */
  private paddingOf(tensor: number): Padding {
    const [, , top = 0, bottom = 0, left = 0, right = 0] = this.tensors.integers(tensor);
    return [top, bottom, left, right];
  }

  private activation({ options }: Step): Activation {
    const code = options.fusedActivationFunction ?? ACTIVATION.none;
    const found = Object.entries(ACTIVATION).find(([, value]) => value === code);
    if (!found) throw new WeightsError(`${this.file}: has activation ${code}, which files of residual export have not`);
    return found[0] as Activation;
  }
}

/** A node without what its output tensor says of it. */
type Unnamed = GraphNode extends infer N ? (N extends GraphNode ? Omit<N, 'name' | 'output' | 'shape'> : never) : never;

function constantsIn({ op }: Unnamed): boolean {
  return op === 'conv2d' || op === 'depthwiseConv2d' || op === 'dense';
}

/** The ends of a TFLite file: the types and scales of what goes in and comes out, and files with other ends.
 *  LiteRT's JavaScript interface knows no int8, so a file with int8 ends is run with floats put around it. */

import { WeightsError } from '../../weights/errors.ts';
import { readFlat } from './flat/read.ts';
import { writeFlat } from './flat/write.ts';
import {
  BUILTIN,
  IDENTIFIER,
  Model,
  type ModelValue,
  type OperatorValue,
  TENSOR_TYPE,
  type TensorType,
  type TensorValue,
} from './schema.ts';

export interface End {
  readonly type: TensorType;
  /** real = scale · (q − zeroPoint); scale 0 where the numbers are no integers. */
  readonly scale: number;
  readonly zeroPoint: number;
}

/** @throws WeightsError where the file is damaged, or has not one input and one output */
export function endsOf(model: ModelValue, file: string): { readonly input: End; readonly output: End } {
  const { graph, input, output } = mainOf(model, file);
  const end = (index: number): End => {
    const { type, quantization } = tensorOf(graph.tensors, index, file);
    const name = Object.entries(TENSOR_TYPE).find(([, code]) => code === type)?.[0];
    if (!name) throw new WeightsError(`${file}: has an end of type ${type}`);
    return {
      type: name as TensorType,
      scale: quantization?.scale?.[0] ?? 0,
      zeroPoint: quantization?.zeroPoint?.[0] ?? 0,
    };
  };
  return { input: end(input), output: end(output) };
}

/** The same network with floats at its ends: a QUANTIZE before it and a DEQUANTIZE behind. */
export function withFloatEnds(model: ModelValue, file: string): Uint8Array {
  const { graph, input, output } = mainOf(model, file);
  const tensors = [...(graph.tensors ?? [])];
  const float = (index: number, name: string): number => {
    const { shape = [] } = tensorOf(tensors, index, file);
    return tensors.push({ name, shape, type: TENSOR_TYPE.float32, buffer: 0, hasRank: true }) - 1;
  };
  const [before, behind] = [float(input, 'float input'), float(output, 'float output')];
  const codes = [...(model.operatorCodes ?? [])];
  const code = (op: 'QUANTIZE' | 'DEQUANTIZE', version: number) =>
    codes.push({ deprecatedBuiltinCode: BUILTIN[op], builtinCode: BUILTIN[op], version }) - 1;
  const quantize: OperatorValue = {
    opcodeIndex: code('QUANTIZE', 1),
    inputs: [before],
    outputs: [input],
    builtinOptions: { type: 'QuantizeOptions', value: {} },
  };
  const dequantize: OperatorValue = {
    opcodeIndex: code('DEQUANTIZE', 2),
    inputs: [output],
    outputs: [behind],
    builtinOptions: { type: 'DequantizeOptions', value: {} },
  };
  const operators = [quantize, ...(graph.operators ?? []), dequantize];
  const changed: ModelValue = {
    ...model,
    operatorCodes: codes,
    subgraphs: [{ ...graph, tensors, operators, inputs: [before], outputs: [behind] }],
    signatureDefs: (model.signatureDefs ?? []).map((signature) => ({
      ...signature,
      inputs: [{ name: 'input', tensorIndex: before }],
      outputs: [{ name: 'output', tensorIndex: behind }],
    })),
  };
  return writeFlat(Model, changed, IDENTIFIER);
}

/** @throws WeightsError for a file of another kind, and for one that is cut off or damaged */
export function readModel(bytes: Uint8Array, file: string): ModelValue {
  return readFlat(bytes, Model, IDENTIFIER, file);
}

function mainOf({ subgraphs = [] }: ModelValue, file: string) {
  const [graph] = subgraphs;
  const [input, ...others] = graph?.inputs ?? [];
  const [output, ...more] = graph?.outputs ?? [];
  if (!graph || input === undefined || output === undefined || others.length + more.length > 0) {
    throw new WeightsError(`${file}: must have one input and one output`);
  }
  return { graph, input, output };
}

function tensorOf(tensors: readonly TensorValue[] | undefined, index: number, file: string): TensorValue {
  const tensor = tensors?.[index];
  if (!tensor) throw new WeightsError(`${file}: has no tensor ${index}`);
  return tensor;
}

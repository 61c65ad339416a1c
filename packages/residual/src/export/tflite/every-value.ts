/** A TFLite file that also gives what its layers make, in floats: to see in the runtime itself where two models part.
 *  The operators and numbers are the file's own; only outputs, and the DEQUANTIZEs that make floats of them, are added. */

import { WeightsError } from '../../weights/errors.ts';
import { writeFlat } from './flat/write.ts';
import { BUILTIN, IDENTIFIER, Model, type ModelValue, type OperatorValue, TENSOR_TYPE } from './schema.ts';

export interface EveryValue {
  readonly bytes: Uint8Array;
  /** From an output's name in the file's signature to the name of the value. */
  readonly values: ReadonlyMap<string, string>;
}

/**
 * @param names of values; those that the file has no tensor for are left out
 * @throws WeightsError where none of them is in the file
 */
export function withEveryValue(model: ModelValue, names: readonly string[], file: string): EveryValue {
  const graph = model.subgraphs?.[0];
  const tensors = [...(graph?.tensors ?? [])];
  const made = new Set((graph?.operators ?? []).flatMap(({ outputs = [] }) => [...outputs]));
  const codes = [...(model.operatorCodes ?? [])];
  const added: OperatorValue[] = [];
  let dequantize = -1;
  const values = new Map<string, string>();
  const outputs: number[] = [];
  for (const name of new Set(names)) {
    const index = tensors.findIndex((tensor, i) => tensor.name === name && made.has(i));
    if (index < 0) continue;
    let shown = index;
    if (tensors[index].type === TENSOR_TYPE.int8) {
      const { shape = [] } = tensors[index];
      const float = { name: `${name}/shown`, shape, type: TENSOR_TYPE.float32, buffer: 0, hasRank: true };
      shown = tensors.push(float) - 1;
      if (dequantize < 0) {
        const code = BUILTIN.DEQUANTIZE;
        dequantize = codes.push({ deprecatedBuiltinCode: code, builtinCode: code, version: 2 }) - 1;
      }
      const builtinOptions = { type: 'DequantizeOptions', value: {} } as const;
      added.push({ opcodeIndex: dequantize, inputs: [index], outputs: [shown], builtinOptions });
    }
    // Runtimes sort outputs by their names in the signature: these are in order already.
    values.set(`value${String(outputs.length).padStart(5, '0')}`, name);
    outputs.push(shown);
  }
  if (!graph || outputs.length === 0) throw new WeightsError(`${file}: has none of the values ${names.join(', ')}`);
  const changed: ModelValue = {
    ...model,
    operatorCodes: codes,
    subgraphs: [{ ...graph, tensors, operators: [...(graph.operators ?? []), ...added], outputs }],
    signatureDefs: (model.signatureDefs ?? []).map((signature) => ({
      ...signature,
      outputs: [...values.keys()].map((name, i) => ({ name, tensorIndex: outputs[i] })),
    })),
  };
  return { bytes: writeFlat(Model, changed, IDENTIFIER), values };
}

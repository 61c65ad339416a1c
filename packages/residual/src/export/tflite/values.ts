/** The values between layers as tensors: in floats, in 8-bit integers, or in both where layers differ.
 *  Where a reader wants another form than the maker gave, one QUANTIZE or DEQUANTIZE is put between and shared. */

import type { AffineParameters, Quantization } from '../../quantize/parameters.ts';
import { type InferenceGraph, type Shape, shapesOf } from '../graph/graph.ts';
import type { TfliteModel } from './model.ts';
import type { QuantizationValue } from './schema.ts';

/** uint8 is int8 with a zero point that is 128 higher; only the model's ends may have it. */
export type Form = 'float32' | 'int8' | 'uint8';

export class Values {
  private readonly model: TfliteModel;
  private readonly shapes: ReadonlyMap<string, Shape>;
  private readonly quantization: Quantization | undefined;
  private readonly batch: number;
  /** For each value the tensors that it is already in; the first is the one that its maker wrote. */
  private readonly forms = new Map<string, Map<Form, number>>();

  /** @param batch images at a time; −1 leaves it to the caller */
  constructor(model: TfliteModel, graph: InferenceGraph, quantization: Quantization | undefined, batch: number) {
    this.model = model;
    this.shapes = shapesOf(graph);
    this.quantization = quantization;
    this.batch = batch;
  }

  /** A tensor for a value that an operator, or the caller, writes. */
  make(value: string, form: Form): number {
    const tensor = this.like(value, value, form, this.shapeOf(value));
    this.forms.set(value, new Map([[form, tensor]]));
    return tensor;
  }

  /** The tensor that has the value in a form. */
  read(value: string, form: Form): number {
    const forms = this.forms.get(value);
    const made = forms?.entries().next().value;
    if (!forms || !made) throw new Error(`internal: ${value} is read before it is made`);
    const ready = forms.get(form);
    if (ready !== undefined) return ready;
    const converted = this.like(`${value}/${form}`, value, form, this.shapeOf(value));
    if (form === 'float32') {
      this.model.operator('DEQUANTIZE', {}, [made[1]], [converted], { type: 'DequantizeOptions', value: {} });
    } else {
      this.model.operator('QUANTIZE', {}, [made[1]], [converted], { type: 'QuantizeOptions', value: {} });
    }
    forms.set(form, converted);
    return converted;
  }

  /** A tensor between two operators of one layer, with the scale of `value`. */
  between(name: string, value: string, form: Form, shape: Shape): number {
    return this.like(name, value, form, shape);
  }

  shapeOf(value: string): Shape {
    const shape = this.shapes.get(value);
    if (!shape) throw new Error(`internal: no value ${value}`);
    return shape;
  }

  parametersOf(value: string): AffineParameters {
    const parameters = this.quantization?.values[value];
    if (!parameters) throw new Error(`internal: no scale for ${value}`);
    return parameters;
  }

  scalesOf(value: string, form: Form): QuantizationValue | undefined {
    if (form === 'float32') return undefined;
    const { scale, zeroPoint } = this.parametersOf(value);
    return { scale: [scale], zeroPoint: [form === 'uint8' ? zeroPoint + 128 : zeroPoint] };
  }

  private like(name: string, value: string, form: Form, shape: Shape): number {
    const quantization = this.scalesOf(value, form);
    return this.model.tensor({
      name,
      type: form,
      shape: [this.batch, ...shape],
      ...(quantization && { quantization }),
    });
  }
}

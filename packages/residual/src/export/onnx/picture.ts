/** Resizing as nodes of an ONNX file that takes pictures of any size: each axis is a matrix, built from the picture's own
 *  shape by operators that every opset has (Resize averages what it shrinks from opset 18 on only).
 *  It follows libvips 8.15+ (`vips_resize`, `vips_reduce`), through which sharp decodes for training and prediction. */

import type { ResizeDetails } from '../../data/dataset.ts';
import { ModelError } from '../../models/errors.ts';
import type { Preprocessing } from '../../models/info.ts';
import type { Emitted } from './integers.ts';
import { type Attribute, dataTypes, floatTensor, int64Tensor, type OnnxNode, type OnnxTensor } from './model.ts';

/** Before the names of all nodes here: who reads a file back leaves them out. */
export const PICTURE = 'picture/';

/**
 * From bytes [batch, height, width, channels] of any size to numbers 0–255 [batch, channels, rows, columns] as the
 * preprocessing wants them. Within 2 of 255 of what `decodeImage` gives for the same pixels, 0.2 on average; but where
 * `stretch` shrinks one side and enlarges the other, libvips moves the picture by half a pixel, and this does not.
 *
 * @throws ModelError for an interpolation that averages nothing
 */
export function pictureNodes(input: string, preprocessing: Preprocessing): Emitted {
  const { inputShape, resize, interpolation = 'lanczos' } = preprocessing;
  const [rows, columns, channels] = inputShape;
  if (interpolation === 'nearest') {
    throw new ModelError(
      "onnx: pictures of any size are averaged as they shrink, this model's interpolation is nearest",
    );
  }
  const x = new Expressions();
  const shape = x.op('Shape', [input]);
  const size = (axis: number) => x.cast(x.op('Gather', [shape, x.integers([axis], [])]), 'float32');
  const [height, width] = [size(1), size(2)];
  const [tall, wide] = sizeBeforeCut(preprocessing);
  const shrinks = [x.op('Div', [height, x.number(tall)]), x.op('Div', [width, x.number(wide)])] as const;
  const shrink = (own: string) => (resize === 'stretch' ? own : x.op(resize === 'cover' ? 'Min' : 'Max', [...shrinks]));
  const vertical = matrix(x, height, shrink(shrinks[0]), { before: tall, kept: rows, resize, interpolation });
  const horizontal = matrix(x, width, shrink(shrinks[1]), { before: wide, kept: columns, resize, interpolation });
  const lines = x.op('Reshape', [x.cast(input, 'float32'), x.integers([0, 0, -1])]);
  const narrow = x.bytes(x.op('MatMul', [vertical, lines]));
  const pixels = x.op('Reshape', [narrow, x.integers([0, 0, -1, channels])]);
  const planes = x.op('Transpose', [pixels], { perm: { ints: [0, 3, 1, 2] } });
  const small = x.bytes(x.op('MatMul', [planes, x.op('Transpose', [horizontal], { perm: { ints: [1, 0] } })]));
  const output = x.op('Reshape', [small, x.integers([0, channels, rows, columns])]);
  return { nodes: x.nodes, initializers: x.initializers, output };
}

/** Height and width that a picture is resized to before its centre is cut out; as `decodeImage` has it. */
export function sizeBeforeCut({ inputShape, crop = 1 }: Pick<Preprocessing, 'inputShape'> & ResizeDetails) {
  const longer = (side: number) => Math.floor(side / crop + 1e-6);
  return [longer(inputShape[0]), longer(inputShape[1])] as const;
}

interface Axis {
  /** Pixels that are resized to, and those that are cut out of their middle. */
  readonly before: number;
  readonly kept: number;
  readonly resize: Preprocessing['resize'];
  readonly interpolation: 'bilinear' | 'bicubic' | 'lanczos';
}

/** The weights of `size` pixels in each of those that are kept: [kept, size]. */
function matrix(x: Expressions, size: string, shrink: string, { before, kept, resize, interpolation }: Axis): string {
  // Pixels are averaged in whole boxes first, until the kernel has less than 4 to 1 to do.
  const box = x.op('Max', [x.number(1), x.op('Floor', [x.times(shrink, 0.5)])]);
  const boxes = x.op('Ceil', [x.op('Div', [size, box])]);
  const step = x.op('Div', [shrink, box]);
  const made = x.op('Floor', [x.plus(x.op('Div', [size, shrink]), 0.5)]);
  const start = x.plus(x.op('Floor', [x.times(x.plus(made, 1 - before), 0.5)]), Math.floor((before - kept) / 2));
  const index = x.op('Add', [x.column(kept), start]);
  const seen = x.op('Clip', [index, x.number(0), x.plus(made, -1)]);
  // Where whole pixels do not fill the size, as much is left over, or missing, on either side. Enlarged pictures begin
  // half a pixel to the left: so does libvips.
  const excess = x.op('Div', [x.op('Sub', [x.op('Mul', [made, shrink]), size]), box]);
  const isShrunk = x.cast(x.op('GreaterOrEqual', [shrink, x.number(1)]), 'float32');
  const half = x.op('Mul', [x.times(x.op('Sub', [step, excess]), 0.5), isShrunk]);
  const centre = x.plus(x.op('Add', [x.op('Mul', [seen, step]), half]), -0.5);
  const spread = x.op('Max', [step, x.number(1)]);
  const reach = x.op('Ceil', [x.plus(x.times(spread, 3), 1)]);
  const one = x.number(1);
  const last = x.plus(boxes, -1);
  const around = x.op('Range', [x.op('Neg', [reach]), x.op('Add', [boxes, reach]), one]);
  const distance = x.op('Abs', [x.op('Div', [x.op('Sub', [around, centre]), spread])]);
  const weights = kernel(x, distance, step, interpolation);
  const normal = x.op('Div', [weights, x.op('ReduceSum', [weights, x.integers([1])], { keepdims: { int: 1 } })]);
  // What lies outside counts as the pixel at the edge.
  const inside = x.op('Unsqueeze', [x.op('Clip', [around, x.number(0), last]), x.integers([1])]);
  const same = x.op('Equal', [inside, x.op('Range', [x.number(0), boxes, one])]);
  const folded = x.op('MatMul', [normal, x.cast(same, 'float32')]);
  // Each pixel has the weight of its box; the last box is filled up with its last pixel.
  const pixels = x.op('Range', [x.number(0), size, one]);
  const spare = x.op('Sub', [x.op('Mul', [boxes, box]), size]);
  const isLast = x.cast(x.op('Equal', [pixels, x.plus(size, -1)]), 'float32');
  const share = x.op('Div', [x.plus(x.op('Mul', [isLast, spare]), 1), box]);
  const boxOf = x.cast(x.op('Floor', [x.op('Div', [pixels, box])]), 'int64');
  const each = x.op('Mul', [x.op('Gather', [folded, boxOf], { axis: { int: 1 } }), share]);
  if (resize !== 'contain') return each;
  // Black around what fits inside.
  const begun = x.cast(x.op('GreaterOrEqual', [index, x.number(0)]), 'float32');
  const open = x.cast(x.op('Less', [index, made]), 'float32');
  return x.op('Mul', [each, x.op('Mul', [begun, open])]);
}

/** The kernel at distances ≥ 0, in steps of the larger of both grids. Enlarging takes the cubic one for Lanczos. */
function kernel(x: Expressions, distance: string, step: string, interpolation: Axis['interpolation']): string {
  if (interpolation === 'bilinear') return x.op('Relu', [x.plus(x.times(distance, -1), 1)]);
  const square = x.op('Mul', [distance, distance]);
  const cube = x.op('Mul', [square, distance]);
  const polynomial = (third: number, second: number, first: number, constant: number) =>
    x.plus(
      x.op('Add', [x.op('Add', [x.times(cube, third), x.times(square, second)]), x.times(distance, first)]),
      constant,
    );
  const within = (limit: number, then: string, otherwise: string) =>
    x.op('Where', [x.op('Less', [distance, x.number(limit)]), then, otherwise]);
  // Catmull-Rom: a = −½.
  const cubic = within(1, polynomial(1.5, -2.5, 0, 1), within(2, polynomial(-0.5, 2.5, -4, 2), x.number(0)));
  if (interpolation === 'bicubic') return cubic;
  const sinc = (width: number) => {
    const angle = x.times(x.op('Max', [distance, x.number(1e-4)]), Math.PI / width);
    return x.op('Div', [x.op('Sin', [angle]), angle]);
  };
  const lanczos = within(3, x.op('Mul', [sinc(1), sinc(3)]), x.number(0));
  return x.op('Where', [x.op('Less', [step, x.number(1)]), cubic, lanczos]);
}

/** Nodes noted down in their order; each is named after the one value that it makes. */
class Expressions {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  private readonly constants = new Map<string, string>();

  op(type: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    const name = `${PICTURE}${type}_${this.nodes.length}`;
    this.nodes.push({ type, name, inputs, outputs: [`${name}:0`], attributes });
    return `${name}:0`;
  }

  number(value: number): string {
    return this.constant(`number_${value}`, (name) => floatTensor(name, [], Float32Array.of(value)));
  }

  integers(values: readonly number[], dims: readonly number[] = [values.length]): string {
    const key = `integers_${values.join('_')}${dims.length === 0 ? '_scalar' : ''}`;
    return this.constant(key, (name) => ({ ...int64Tensor(name, values), dims }));
  }

  /** 0, 1, 2 … below each other. */
  column(length: number): string {
    const values = Float32Array.from({ length }, (_, i) => i);
    return this.constant(`column_${length}`, (name) => floatTensor(name, [length, 1], values));
  }

  plus(a: string, value: number): string {
    return value === 0 ? a : this.op('Add', [a, this.number(value)]);
  }

  times(a: string, value: number): string {
    return value === 0 ? this.number(0) : this.op('Mul', [a, this.number(value)]);
  }

  cast(a: string, to: keyof typeof dataTypes): string {
    return this.op('Cast', [a], { to: { int: dataTypes[to] } });
  }

  /** Whole numbers 0–255, as a picture between two steps has them. */
  bytes(a: string): string {
    return this.op('Clip', [this.op('Round', [a]), this.number(0), this.number(255)]);
  }

  private constant(key: string, make: (name: string) => OnnxTensor): string {
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const name = `${PICTURE}${key}`;
    this.initializers.push(make(name));
    this.constants.set(key, name);
    return name;
  }
}

/** Changes of a tensor's layout: between PyTorch's order of axes and TensorFlow's, and to other numbers of channels. */

/** OIHW → HWIO. */
export function toHwio(
  values: Float32Array,
  [out = 0, input = 0, height = 0, width = 0]: readonly number[],
): Float32Array {
  const result = new Float32Array(values.length);
  const pixels = height * width;
  let from = 0;
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < input; i++) {
      let to = i * out + o;
      for (let pixel = 0; pixel < pixels; pixel++, to += input * out) result[to] = values[from++] as number;
    }
  }
  return result;
}

/** HWIO → OIHW. */
export function toOihw(
  values: Float32Array,
  [height = 0, width = 0, input = 0, out = 0]: readonly number[],
): Float32Array {
  const result = new Float32Array(values.length);
  const pixels = height * width;
  let to = 0;
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < input; i++) {
      let from = i * out + o;
      for (let pixel = 0; pixel < pixels; pixel++, from += input * out) result[to++] = values[from] as number;
    }
  }
  return result;
}

/** [rows, columns] → [columns, rows]. */
export function transpose(values: Float32Array, [rows = 0, columns = 0]: readonly number[]): Float32Array {
  const result = new Float32Array(values.length);
  let from = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[from++] as number;
  }
  return result;
}

/**
 * An HWIO kernel for pictures with another number of channels. To one channel: the sum, so that a grey picture gives what
 * it gave with three like channels. From one channel: the same for each, so that three like channels give what one gave.
 * Else the channels again and again, with as much weight in all (as timm's `adapt_input_conv`).
 */
export function withChannels(values: Float32Array, shape: readonly number[], to: number): Float32Array {
  const [height = 0, width = 0, from = 0, out = 0] = shape;
  const result = new Float32Array(height * width * to * out);
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let o = 0; o < out; o++) {
      const at = (channel: number) => values[(pixel * from + channel) * out + o] as number;
      let sum = 0;
      for (let channel = 0; channel < from; channel++) sum += at(channel);
      for (let channel = 0; channel < to; channel++) {
        result[(pixel * to + channel) * out + o] = to === 1 ? sum : (at(channel % from) * from) / to;
      }
    }
  }
  return result;
}

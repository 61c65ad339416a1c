/** What every reader of weights gives, whatever the file's format: named tensors that are read one at a time.
 *  So a file is never in memory twice, and a mapping can look at all shapes before it reads a value. */

/** How numbers are stored in the file. Readers widen or narrow all of them to 32-bit floats. */
export type StoredType =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint64'
  | 'uint32'
  | 'uint16'
  | 'uint8'
  | 'bool';

/** One tensor of a file. */
export interface WeightTensor {
  /** As the file calls it, e.g. `layer1.0.conv1.weight`, `conv1/conv1/kernel:0`. */
  readonly name: string;
  readonly type: StoredType;
  /** As stored: the layout (OIHW, HWIO …) is the framework's own. */
  readonly shape: readonly number[];
  /**
   * The values in row-major order of `shape`, as 32-bit floats: what is stored otherwise is converted, strides and byte
   * order are undone.
   *
   * @throws WeightsError where the bytes are missing or cannot be what the file says
   */
  read(): Promise<Float32Array>;
}

export type WeightFormat = 'safetensors' | 'pytorch' | 'keras' | 'onnx' | 'tfjs' | 'tensorflow';

/** An open file (or folder, or set of shards) of weights. */
export interface WeightFile {
  readonly format: WeightFormat;
  /** The file's name, for messages. */
  readonly name: string;
  /** In the file's order. No two have the same name. */
  readonly tensors: readonly WeightTensor[];
  /** What else the file says of itself, e.g. safetensors' `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Lets go of the file. Tensors cannot be read afterwards. */
  close(): Promise<void>;
}

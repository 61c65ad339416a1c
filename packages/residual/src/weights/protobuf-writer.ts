/** Protocol buffers, written: fields one after another into bytes, for event files, ONNX and SavedModels.
 *  https://protobuf.dev/programming-guides/encoding; a library would be a hundred times this file. */

/** Bytes of fields, in order. Nothing is copied before `finish`: a field's bytes must stay as they are until then. */
export class Message {
  /** In bytes. */
  length = 0;
  private readonly parts: Uint8Array[] = [];

  /** A varint: int32, int64, uint32, uint64, bool or enum. A negative number takes ten bytes, as int64 does. */
  integer(field: number, value: number | bigint): this {
    return this.tag(field, 0).varint(value);
  }

  double(field: number, value: number): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return this.tag(field, 1).raw(bytes);
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.tag(field, 5).raw(bytes);
  }

  /** A fixed32: four bytes of an unsigned number. */
  fixed32(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    return this.tag(field, 5).raw(bytes);
  }

  bytes(field: number, value: Uint8Array): this {
    return this.tag(field, 2).varint(value.length).raw(value);
  }

  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  /** The other message as it is now. */
  message(field: number, value: Message): this {
    this.tag(field, 2).varint(value.length);
    for (const part of value.parts) this.raw(part);
    return this;
  }

  /** A packed list of varints. */
  integers(field: number, values: readonly (number | bigint)[]): this {
    const packed = new Message();
    for (const value of values) packed.varint(value);
    return this.message(field, packed);
  }

  /** A packed list. */
  floats(field: number, values: Iterable<number>): this {
    return this.bytes(field, new Uint8Array(littleEndian(4, [...values], 'setFloat32')));
  }

  /** A packed list. */
  doubles(field: number, values: readonly number[]): this {
    return this.bytes(field, new Uint8Array(littleEndian(8, values, 'setFloat64')));
  }

  /** The bytes, in pieces: what is written to a file need not be joined before. */
  chunks(): readonly Uint8Array[] {
    return this.parts;
  }

  finish(): Uint8Array<ArrayBuffer> {
    const whole = new Uint8Array(this.length);
    let offset = 0;
    for (const part of this.parts) {
      whole.set(part, offset);
      offset += part.length;
    }
    return whole;
  }

  private tag(field: number, wireType: number): this {
    return this.varint(field * 8 + wireType);
  }

  private varint(value: number | bigint): this {
    if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new Error(`internal: ${value} is no varint`);
    const bytes: number[] = [];
    if (typeof value === 'number' && value >= 0) {
      // By division: bit operations end at 32 bits.
      let rest = value;
      for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
      bytes.push(rest);
    } else {
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) + 128);
      bytes.push(Number(rest));
    }
    return this.raw(Uint8Array.from(bytes));
  }

  private raw(bytes: Uint8Array): this {
    this.length += bytes.length;
    this.parts.push(bytes);
    return this;
  }
}

function littleEndian(size: 4 | 8, values: readonly number[], set: 'setFloat32' | 'setFloat64'): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(size * values.length));
  values.forEach((value, i) => {
    view[set](size * i, value, true);
  });
  return view.buffer;
}

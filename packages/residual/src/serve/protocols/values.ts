/** JSON values to pictures, checked number by number: what is not exactly a picture of the model is refused with the place
 *  where it differs. */

import type { ImageShape } from '../../data/dataset.ts';
import type { ServedClassifier } from '../classifier.ts';
import { badRequest } from '../errors.ts';
import type { SentPicture } from '../picture.ts';

/** The names of inputs, in all protocols: pictures as files or pixels 0–255, or numbers that are normalised already. */
const inputNames = ['image', 'normalised'] as const;
export type InputName = (typeof inputNames)[number];

/** @throws ServeError 400 for another name */
export function inputName(name: string, what: string): InputName {
  const found = inputNames.find((one) => one === name);
  if (found) return found;
  throw badRequest(`${what}: must be named ${inputNames.join(' or ')}, received '${name}'`);
}

/** @throws ServeError 400 where the model takes bytes, which need no normalisation */
export function checkInput(name: InputName, { range }: ServedClassifier): void {
  if (name === 'normalised' && range === 'bytes') {
    throw badRequest('normalised: this model takes bytes 0-255 as they are; send them as image');
  }
}

/** @throws ServeError 400 for what is no JSON */
export function parseJson(body: unknown): unknown {
  if (!(body instanceof Uint8Array) || body.length === 0) throw badRequest('the body must be JSON, it is empty');
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw badRequest(`the body must be JSON: ${(error as Error).message}`);
  }
}

/** @throws ServeError 400 for what is no object */
export function objectOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw badRequest(`${what}: must be an object, received ${shown(value)}`);
}

const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

/** A picture's file in base64, plain or safe for URLs. */
export function fileFromBase64(value: unknown, what: string): SentPicture {
  if (typeof value !== 'string' || value === '' || !BASE64.test(value)) {
    throw badRequest(`${what}: must be a picture's file in base64, received ${shown(value)}`);
  }
  return { kind: 'file', bytes: Buffer.from(value, 'base64') };
}

/** One picture of nested arrays, height × width × channels; the channel may be left out where there is one. */
export function pictureFromNested(value: unknown, shape: ImageShape, name: InputName, what: string): SentPicture {
  const out = new Float32Array(shape[0] * shape[1] * shape[2]);
  const flat = shape[2] === 1 && !Array.isArray(firstOf(firstOf(value)));
  let at = 0;
  const walk = (part: unknown, sizes: readonly number[], where: string): void => {
    const [size, ...rest] = sizes;
    if (size === undefined) {
      out[at++] = checkedNumber(part, name, where);
      return;
    }
    if (!Array.isArray(part) || part.length !== size) {
      const found = Array.isArray(part) ? `${part.length} values` : shown(part);
      throw badRequest(
        `${where}: must be an array of ${size} (the model takes ${shape.join(' x ')}), received ${found}`,
      );
    }
    for (let i = 0; i < size; i++) {
      // The innermost without recursion: there are hundreds of thousands.
      if (rest.length === 0) out[at++] = checkedNumber(part[i], name, where);
      else walk(part[i], rest, rest.length === 2 ? `${what}[${i}]` : where);
    }
  };
  walk(value, flat ? shape.slice(0, 2) : shape, what);
  return { kind: name === 'image' ? 'pixels' : 'normalised', values: out };
}

/** Pictures of one flat list, count × height × width × channels. */
export function picturesFromFlat(
  values: ArrayLike<unknown>,
  count: number,
  shape: ImageShape,
  name: InputName,
  what: string,
): SentPicture[] {
  const length = shape[0] * shape[1] * shape[2];
  if (values.length !== count * length) {
    throw badRequest(
      `${what}: ${[count, ...shape].join(' x ')} needs ${count * length} values, received ${values.length}`,
    );
  }
  return Array.from({ length: count }, (_, n) => {
    const out = new Float32Array(length);
    for (let i = 0; i < length; i++) out[i] = checkedNumber(values[n * length + i], name, what);
    return { kind: name === 'image' ? 'pixels' : 'normalised', values: out };
  });
}

function checkedNumber(value: unknown, name: InputName, what: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw badRequest(`${what}: must hold finite numbers, received ${shown(value)}`);
  }
  if (name === 'image' && (value < 0 || value > 255)) {
    throw badRequest(`${what}: pixels are 0-255, received ${value}; numbers for the network itself go in 'normalised'`);
  }
  if (Math.abs(value) > 3.4e38) throw badRequest(`${what}: ${value} is beyond single precision`);
  return value;
}

function firstOf(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : undefined;
}

/** A value as a message may show it: short, on one line. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'number') return String(value); // NaN is null in JSON
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

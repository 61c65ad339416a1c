/** Addresses of a model and of one of its versions, which both protocols write alike. */

import { ServeError } from '../errors.ts';

export interface ModelParams {
  readonly name: string;
  readonly version?: string;
}

/** The pattern keeps a colon out of names, for what stands after it is a verb. */
export function modelPaths(root: '/v1/models' | '/v2/models'): readonly string[] {
  const model = `${root}/:name([^:/]+)`;
  return [model, `${model}/versions/:version([^:/]+)`];
}

/** @throws ServeError 404 for a version that is no number */
export function versionOf({ name, version }: ModelParams): { readonly name: string; readonly version?: number } {
  if (version === undefined) return { name };
  if (!/^\d{1,15}$/.test(version))
    throw new ServeError(404, `model ${name}: a version is a number, received '${version}'`);
  return { name, version: Number(version) };
}

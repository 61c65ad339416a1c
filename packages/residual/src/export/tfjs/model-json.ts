/** A TF.js model's files, read: model.json checked, its weights in TF.js's own form for the runtime, or as floats for us. */

import type { io } from '@tensorflow/tfjs-core';
import { ModelError } from '../../models/errors.ts';
import { memorySiblings } from '../../weights/reader.ts';
import { bytesSource } from '../../weights/source.ts';
import { readTfjs } from '../../weights/tfjs/tfjs.ts';
import type { ArtefactInfo } from '../artefact.ts';
import type { ExportFile } from '../format.ts';
import type { Constant } from '../graph/graph.ts';
import { artefactFromJson } from '../tensorflow/artefact-json.ts';
import { fileIn, filesBeside } from '../tensorflow/files.ts';

const MAIN = 'model.json';

export interface ModelFiles {
  /** Of the folder, or of model.json, for messages. */
  readonly name: string;
  readonly json: io.ModelJSON;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** What `model.json` says that it is; undefined where there is none that can be read. */
export function formatOfModel(files: readonly ExportFile[]): string | undefined {
  const main = filesBeside(MAIN, files)?.get(MAIN);
  if (!main) return undefined;
  try {
    return (JSON.parse(new TextDecoder().decode(main)) as { format?: string } | null)?.format;
  } catch {
    return undefined;
  }
}

/** @throws ModelError where there is no model.json of the format */
export function modelFiles(given: readonly ExportFile[], format: 'graph-model' | 'layers-model'): ModelFiles {
  const files = filesBeside(MAIN, given);
  if (!files || formatOfModel(given) !== format) throw new ModelError(`${MAIN}: is no TF.js model of format ${format}`);
  const json = JSON.parse(new TextDecoder().decode(fileIn(files, MAIN))) as io.ModelJSON;
  return { name: MAIN, json, files };
}

export function infoOf({ name, json }: ModelFiles): ArtefactInfo {
  return artefactFromJson(json.userDefinedMetadata, name);
}

/** For TF.js's own loaders. */
export function handlerFor({ json, files, name }: ModelFiles): io.IOHandler {
  const load = async (): Promise<io.ModelArtifacts> => {
    const { modelTopology, format, signature, userDefinedMetadata, weightsManifest } = json;
    if (!Array.isArray(weightsManifest)) throw new ModelError(`${name}: has no weightsManifest`);
    const weightSpecs = weightsManifest.flatMap(({ weights }) => weights);
    const parts = weightsManifest.flatMap(({ paths }) => paths).map((path) => fileIn(files, path));
    const weightData = parts.map((bytes) => Uint8Array.from(bytes).buffer);
    return {
      ...{ modelTopology, weightSpecs, weightData },
      ...(format !== undefined && { format }),
      ...(signature !== undefined && { signature }),
      ...(userDefinedMetadata !== undefined && { userDefinedMetadata }),
    };
  };
  return { load };
}

/** The weights as floats, by name. */
export async function weightsOf({ name, files }: ModelFiles): Promise<Map<string, Constant>> {
  const { [MAIN]: main = new Uint8Array(), ...others } = Object.fromEntries(files);
  const file = await readTfjs(bytesSource(main, name), memorySiblings(others));
  const weights = new Map<string, Constant>();
  for (const tensor of file.tensors) weights.set(tensor.name, { shape: tensor.shape, values: await tensor.read() });
  return weights;
}

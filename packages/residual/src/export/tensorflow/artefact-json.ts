/** What a file says of itself as a JSON object, for formats that keep JSON: the texts of `artefact.ts`, not quoted twice. */

import { ModelError } from '../../models/errors.ts';
import { type ArtefactInfo, artefactFromTexts, artefactSentence, artefactToTexts } from '../artefact.ts';

export function artefactToJson(info: ArtefactInfo): Readonly<Record<string, unknown>> {
  const { labels = '', preprocessing = '', ...texts } = artefactToTexts(info);
  const parsed = { labels: JSON.parse(labels) as unknown, preprocessing: JSON.parse(preprocessing) as unknown };
  return { description: artefactSentence(info), ...texts, ...parsed };
}

/**
 * @param file for messages
 * @throws ModelError where it is not what `artefactToJson` gives
 */
export function artefactFromJson(value: unknown, file: string): ArtefactInfo {
  if (typeof value !== 'object' || value === null) {
    throw new ModelError(`${file}: does not say its labels and preprocessing as files of residual export do`);
  }
  const texts = Object.entries(value).map(([key, one]) => [key, typeof one === 'string' ? one : JSON.stringify(one)]);
  return artefactFromTexts(Object.fromEntries(texts) as Record<string, string>, file);
}

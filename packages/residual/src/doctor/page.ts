/** What the doctor's two pages share: the frame in the report's own style, and pictures as `data:` URIs. */

import { readFile } from 'node:fs/promises';
import type { Dataset, Splits } from '../data/dataset.ts';
import { DataError } from '../data/errors.ts';
import { decodeBytes } from '../data/node/decode.ts';
import { pictureUri } from '../evaluate/report-file.ts';
import { escapeHtml } from '../evaluate/report-format.ts';
import { reportScript } from '../evaluate/report-script.ts';
import { reportStyle } from '../evaluate/report-style.ts';

/** Nothing but the page itself may be loaded: the browser refuses every request. */
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

const style = `
.badge { display: inline-block; font-size: 12px; font-weight: 620; border-radius: 20px; padding: 1px 10px; margin-right: 10px; vertical-align: 2px; color: var(--on); background: var(--soft); }
.badge.note { margin: 0 10px 0 0; color: var(--on); }
.badge.problem { background: var(--orange); } .badge.warning { background: var(--blue); }
.toc { list-style: none; margin: 28px 0 0; padding: 0; border-top: 1px solid var(--faint); }
.toc li { padding: 9px 0; border-bottom: 1px solid var(--faint); } .toc a { color: inherit; text-decoration: none; } .toc a:hover { text-decoration: underline; }
.cases { display: flex; flex-wrap: wrap; gap: 20px 18px; }
.case { max-width: 100%; font-size: 12.5px; line-height: 1.4; } .case > div { display: flex; flex-wrap: wrap; gap: 4px; }
.case figure { width: 112px; } .case img, .case .none { width: 112px; height: 112px; object-fit: contain; border-radius: 6px; background: light-dark(#f0f0ed, #22262d); border: 1px solid var(--faint); display: block; }
.case .none { display: grid; place-items: center; color: var(--soft); }
.case img.pixels, .mistakes img.pixels { image-rendering: pixelated; } .case b { font-weight: 620; } .case small { display: block; color: var(--soft); font-size: 11px; overflow-wrap: anywhere; }
.case p { margin: 4px 0 0; max-width: 34ch; }
.good { color: var(--green); font-weight: 620; }
`;

export interface Frame {
  readonly eyebrow: string;
  readonly title: string;
  readonly lead: string;
  /** HTML. */
  readonly body: string;
  readonly date: Date;
}

/** A complete, self-contained HTML document. Title and lead are escaped here. */
export function pageOf({ eyebrow, title, lead, body, date }: Frame): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="generator" content="residual">
<title>${escapeHtml(title)} · residual doctor</title>
<style>${reportStyle}${style}</style></head><body>
<header><div><p class="eyebrow">${escapeHtml(eyebrow)}</p><h1>${escapeHtml(title)}</h1>
<p class="lead">${escapeHtml(lead)}</p></div><button class="theme" type="button" hidden>Dark</button></header>
${body}
<footer>Made by residual on ${date.toISOString().slice(0, 16).replace('T', ' ')} UTC. This page loads nothing from anywhere.</footer>
<div id="tip" role="status"></div><script>${reportScript}</script>
</body></html>
`;
}

/** Side of a thumbnail made from a file. */
const thumbnail = 128;

/** A sample as a `data:` URI: its file as it is, or its pixels; undefined where it cannot be read. */
export async function sampleUri(dataset: Dataset, index: number): Promise<string | undefined> {
  const file = dataset.fileOf?.(index);
  try {
    if (file !== undefined) {
      const shape = [thumbnail, thumbnail, 3] as const;
      return await pictureUri(await decodeBytes(await readFile(file), shape, 'contain'), shape, 'webp');
    }
    const { images } = await dataset.read([index]);
    return await pictureUri(images, dataset.imageShape);
  } catch (error) {
    if (error instanceof DataError || (error as NodeJS.ErrnoException).code !== undefined) return undefined;
    throw error;
  }
}

/** An `<img>`, or a box that says that there is nothing to show. */
export function pictureHtml(uri: string | undefined, alt: string, shape: Splits['imageShape'], file: boolean): string {
  if (uri === undefined) return '<span class="none">no picture</span>';
  const pixels = !file && shape[0] <= 96 ? ' class="pixels"' : '';
  return `<img${pixels} src="${escapeHtml(uri)}" alt="${escapeHtml(alt)}" loading="lazy">`;
}

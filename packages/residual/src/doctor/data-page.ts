/** The page of the doctor before training: the verdict, the classes, and each finding with its pictures. */

import type { Splits } from '../data/dataset.ts';
import { count, escapeHtml, plural } from '../evaluate/report-format.ts';
import { type Diagnosis, verdictOf } from './data-doctor.ts';
import type { Case, Finding } from './finding.ts';
import type { PartName } from './inspect.ts';
import { pageOf, pictureHtml, sampleUri } from './page.ts';

/** Shown of each finding, and of each case; `doctor.json` names all. */
const mostCases = 24;
const mostPictures = 6;

/** Draws the page; reads the pictures that it shows from `splits`. */
export async function dataPage(diagnosis: Diagnosis, splits: Splits, date: Date): Promise<string> {
  const { findings, classes, parts } = diagnosis;
  const verdict = verdictOf(diagnosis);
  const list = findings.map(
    ({ kind, severity, title }) =>
      `<li><a href="#${kind}"><span class="badge ${severity}">${severity}</span>${escapeHtml(title)}</a></li>`,
  );
  const sections: string[] = [];
  for (const finding of findings) sections.push(await section(finding, splits));
  const total = (k: number) => parts.reduce((sum, { counts }) => sum + counts[k], 0);
  const most = Math.max(1, ...classes.map((_, k) => total(k)));
  const rows = classes.map(
    (name, k) =>
      `<tr><th scope="row">${escapeHtml(name)}</th>${parts.map(({ counts }) => `<td class="number" data-value="${counts[k]}">${count(counts[k])}</td>`).join('')}<td class="score" data-value="${total(k)}"><span>${count(total(k))}</span><i style="--part:${((100 * total(k)) / most).toFixed(1)}%"></i></td></tr>`,
  );
  const head = parts.map(({ part }) => `<th scope="col" class="number" data-sort="number">${part}</th>`).join('');
  return pageOf({
    eyebrow: 'The doctor on a data set',
    title: diagnosis.name,
    lead: `${plural(diagnosis.pictures, 'picture')} in ${plural(classes.length, 'class', 'classes')}: ${plural(verdict.problem, 'problem')}, ${plural(verdict.warning, 'warning')}, ${plural(verdict.note, 'note')}.`,
    date,
    body: `${findings.length === 0 ? '<p class="good">Nothing is wrong with it.</p>' : `<ul class="toc">${list.join('')}</ul>`}
${sections.join('\n')}
<section><h2>Classes</h2><p>Pictures of each class in each part.</p><div class="scroll"><table class="classes"><thead><tr><th scope="col" data-sort="text">class</th>${head}<th scope="col" class="number" data-sort="number">all</th></tr></thead><tbody>${rows.join('')}</tbody></table></div></section>`,
  });
}

async function section(finding: Finding, splits: Splits): Promise<string> {
  const { kind, severity, title, advice, cases, entries = [] } = finding;
  const shown = cases.slice(0, mostCases);
  const drawn = await Promise.all(shown.map((one) => caseHtml(one, splits)));
  const more =
    cases.length > shown.length
      ? `<p class="note">And ${count(cases.length - shown.length)} more, named in doctor.json.</p>`
      : '';
  const rows = entries
    .slice(0, 200)
    .map(({ name, detail }) => `<tr><td><code>${escapeHtml(name)}</code></td><td>${escapeHtml(detail)}</td></tr>`);
  const table = rows.length === 0 ? '' : `<div class="scroll"><table><tbody>${rows.join('')}</tbody></table></div>`;
  return `<section id="${kind}"><h2><span class="badge ${severity}">${severity}</span>${escapeHtml(title)}</h2><p>${escapeHtml(advice)}</p><div class="cases">${drawn.join('')}</div>${more}${table}</section>`;
}

async function caseHtml({ pictures, detail }: Case, splits: Splits): Promise<string> {
  const shown = pictures.slice(0, mostPictures);
  const figures = await Promise.all(
    shown.map(async ({ part, index, label, name }) => {
      const dataset = splits[part as PartName];
      const uri = dataset === undefined ? undefined : await sampleUri(dataset, index);
      const file = dataset?.fileOf !== undefined;
      const short = file ? name.split(/[/\\]/).slice(-2).join('/') : name;
      return `<figure title="${escapeHtml(name)}">${pictureHtml(uri, name, splits.imageShape, file)}<small>${pictures.length > 1 ? `<b>${escapeHtml(splits.classes[label])}</b> · ${part}<br>` : ''}${escapeHtml(short)}</small></figure>`;
    }),
  );
  const more = pictures.length > shown.length ? ` and ${count(pictures.length - shown.length)} more` : '';
  return `<div class="case"><div>${figures.join('')}</div><p>${escapeHtml(detail)}${more}</p></div>`;
}

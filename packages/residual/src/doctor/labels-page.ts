/** The page of the doctor after training: the images whose labels are most to be doubted, the worst first. */

import { confusedPairs } from '../evaluate/report-confusion.ts';
import { count, escapeHtml, percent, plural } from '../evaluate/report-format.ts';
import { pageOf, pictureHtml, sampleUri } from './page.ts';
import type { Reviewed } from './suspects.ts';

export interface LabelsPage {
  readonly title: string;
  /** How the probabilities were made, one sentence. */
  readonly how: string;
  /** Images that are shown. */
  readonly pictures: number;
  readonly date: Date;
}

/** Draws the page; reads the pictures that it shows. */
export async function labelsPage(reviewed: Reviewed, { title, how, pictures, date }: LabelsPage): Promise<string> {
  const { classes, images, review, suspects } = reviewed;
  const shown = suspects.slice(0, pictures);
  const figures = await Promise.all(
    shown.map(
      async ({ dataset, index, sample, part, given, suggested, probabilityOfGiven, probabilityOfSuggested }) => {
        const uri = await sampleUri(dataset, index);
        const file = dataset.fileOf !== undefined;
        const short = file ? sample.split(/[/\\]/).slice(-2).join('/') : sample;
        const alt = `labelled ${classes[given]}, rather ${classes[suggested]}`;
        return `<figure title="${escapeHtml(sample)}">${pictureHtml(uri, alt, dataset.imageShape, file)}<p><span class="was">${escapeHtml(classes[given])}</span><span>${percent(probabilityOfGiven)}</span><span class="said">${escapeHtml(classes[suggested])}</span><span>${percent(probabilityOfSuggested)}</span></p><small>${escapeHtml(part)} · ${escapeHtml(short)}</small></figure>`;
      },
    ),
  );
  const pairs = confusedPairs({ classes, counts: review.confidentJoint }, 12).map(
    ({ actual, predicted, count: hits, share }) =>
      `<li><span><b>${escapeHtml(classes[actual])}</b><span class="arrow">→</span>${escapeHtml(classes[predicted])}</span><span>${count(hits)}</span><small>${percent(share)} of the images with that label</small></li>`,
  );
  const more =
    suspects.length > shown.length ? ` Shown are the first ${count(shown.length)}; suspects.csv names all.` : '';
  const body =
    suspects.length === 0
      ? '<p class="good">No label looks wrong.</p>'
      : `<section><h2>Look at these</h2><p>In <b style="color:var(--blue)">blue</b> the label, in <b style="color:var(--orange)">orange</b> what the networks say instead, each with its probability; the most suspicious first. Hard but right images are among them: delete their rows from suspects.csv, and train with --exclude suspects.csv.${more}</p><div class="mistakes">${figures.join('')}</div></section>
<section><h2>From which label to which</h2><p>Images with one label that the networks are confident are another.</p><div class="matrix wide"><div><ol class="confused">${pairs.join('')}</ol></div></div></section>`;
  return pageOf({
    eyebrow: 'The doctor on labels',
    title,
    lead: `${plural(suspects.length, 'label')} of ${count(images)} to doubt (${percent(suspects.length / images)}); about ${percent(review.noise)} of the labels are estimated to be wrong or ambiguous. ${how}`,
    date,
    body,
  });
}

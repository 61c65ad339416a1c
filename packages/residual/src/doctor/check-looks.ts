/** Findings about what pictures show: blank ones, unusual sizes and shapes, grey among colour. */

import { percent, plural } from '../evaluate/report-format.ts';
import type { Finding } from './finding.ts';
import type { Examined } from './inspect.ts';

/** Grey values that spread less than this show nothing. */
const blankContrast = 2;
/** Mean distance of the channels below which a picture is grey; compression alone makes about 1. */
const greyChroma = 3;
/** Longer side by shorter side beyond which `cover` cuts most of the picture away. */
const extremeAspect = 3;
/** Shorter sides below this are small for a photograph. */
const smallSide = 32;

export function checkLooks(examined: readonly Examined[], classes: readonly string[]): Finding[] {
  const seen = examined.filter(({ picture }) => picture !== undefined);
  return [...blank(seen), ...sizes(seen), ...colours(seen, classes)];
}

function blank(seen: readonly Examined[]): Finding[] {
  const pictures = seen.filter(({ picture }) => picture !== undefined && picture.contrast < blankContrast);
  if (pictures.length === 0) return [];
  return [
    {
      kind: 'blank-pictures',
      severity: 'problem',
      title: `${plural(pictures.length, 'picture')} of one colour`,
      advice: 'They show nothing that could be learned, but their label: delete them.',
      count: pictures.length,
      cases: pictures.map((one) => ({
        pictures: [one],
        detail: `brightness ${Math.round(one.picture?.brightness ?? 0)} everywhere`,
      })),
    },
  ];
}

function sizes(seen: readonly Examined[]): Finding[] {
  const sized = seen.flatMap((one) => {
    const { width = 0, height = 0 } = one.file ?? {};
    return width > 0 && height > 0 ? [{ one, short: Math.min(width, height), long: Math.max(width, height) }] : [];
  });
  if (sized.length === 0) return [];
  const shorts = sized.map(({ short }) => short).sort((a, b) => a - b);
  const usual = shorts[shorts.length >> 1];
  const text = ({ file }: Examined) => `${file?.width}×${file?.height}`;
  const findings: Finding[] = [];
  // A set of small pictures is no outlier of itself.
  const tiny = sized.filter(({ short }) => short < usual / 4 && short < Math.max(smallSide, usual / 8));
  if (tiny.length > 0) {
    findings.push({
      kind: 'small-pictures',
      severity: 'warning',
      title: `${plural(tiny.length, 'picture')} much smaller than the others`,
      advice: `The usual shorter side is ${usual} pixels; these will be blown up and blurred. Look for thumbnails among the photographs.`,
      count: tiny.length,
      cases: tiny.sort((a, b) => a.short - b.short).map(({ one }) => ({ pictures: [one], detail: text(one) })),
    });
  }
  const aspects = sized.map(({ short, long }) => long / short).sort((a, b) => a - b);
  const usualAspect = aspects[aspects.length >> 1];
  const stretched = sized.filter(
    ({ short, long }) => long / short >= extremeAspect && long / short > 1.5 * usualAspect,
  );
  if (stretched.length > 0) {
    findings.push({
      kind: 'extreme-shapes',
      severity: 'warning',
      title: `${plural(stretched.length, 'picture')} at least three times as long as wide`,
      advice: 'By default the middle is cut out and the rest is not seen: crop them, or train with --resize contain.',
      count: stretched.length,
      cases: stretched
        .sort((a, b) => b.long / b.short - a.long / a.short)
        .map(({ one }) => ({ pictures: [one], detail: text(one) })),
    });
  }
  return findings;
}

function colours(seen: readonly Examined[], classes: readonly string[]): Finding[] {
  const isGrey = ({ picture }: Examined) => picture !== undefined && picture.chroma < greyChroma;
  const grey = seen.filter(isGrey);
  if (grey.length === 0 || grey.length === seen.length) return [];
  const share = grey.length / seen.length;
  const findings: Finding[] = [];
  const odd = share <= 0.5 ? grey : seen.filter((one) => !isGrey(one));
  if (odd.length / seen.length < 0.2) {
    const [what, others] = share <= 0.5 ? ['grey', 'colour'] : ['colour', 'grey'];
    findings.push({
      kind: `${what}-among-${others}`,
      severity: 'note',
      title: `${plural(odd.length, `${what} picture`)} among ${others} ones`,
      advice:
        what === 'grey'
          ? 'Harmless if they are spread over the classes; grey pictures from one source can become a short cut.'
          : 'If colour does not matter for the task, train with --channels 1.',
      count: odd.length,
      cases: odd.map((one) => ({ pictures: [one], detail: classes[one.label] })),
    });
  }
  // A class that is mostly grey while the others are not can be told by that alone.
  const entries = classes.flatMap((name, label) => {
    const members = seen.filter((one) => one.label === label);
    const part = members.filter(isGrey).length / Math.max(1, members.length);
    const rest = (grey.length - part * members.length) / Math.max(1, seen.length - members.length);
    return members.length >= 10 && Math.abs(part - rest) > 0.5
      ? [{ name, detail: `${percent(part, 0)} grey, the other classes ${percent(rest, 0)}` }]
      : [];
  });
  if (entries.length > 0) {
    findings.push({
      kind: 'colour-tells-class',
      severity: 'warning',
      title: `${plural(entries.length, 'class', 'classes')} that grey or colour gives away`,
      advice:
        'A network will learn that instead of what you mean: add grey and colour pictures to all classes, or train with --channels 1.',
      count: entries.length,
      cases: [],
      entries,
    });
  }
  return findings;
}

/** Findings about classes: how many pictures each has, and in which parts it is missing. */

import type { Splits } from '../data/dataset.ts';
import { count, plural } from '../evaluate/report-format.ts';
import type { Finding } from './finding.ts';
import { partNames } from './inspect.ts';

/** Training pictures below which a class can hardly be learned from nothing. */
const few = 20;
const slight = 3;
const strong = 10;

export function checkClasses(splits: Splits): Finding[] {
  const { classes } = splits;
  const findings: Finding[] = [];
  const counts = countsOf(splits.train.labels, classes.length);
  const [most, least] = [Math.max(...counts), Math.min(...counts)];
  const ratio = most / Math.max(1, least);
  const order = [...counts.keys()].sort((a, b) => counts[a] - counts[b]);
  const entry = (k: number) => ({ name: classes[k], detail: plural(counts[k], 'training picture') });
  if (ratio > slight) {
    findings.push({
      kind: 'class-imbalance',
      severity: ratio > strong ? 'warning' : 'note',
      title: `the largest class has ${ratio >= 10 ? count(ratio) : ratio.toFixed(1)} times the pictures of the smallest`,
      advice: `'${classes[order[0]]}' has ${count(least)}, '${classes[order[order.length - 1]]}' ${count(most)}: collect more of the rare ones or weigh them, and go by macro averages, not by accuracy.`,
      count: classes.length,
      cases: [],
      entries: order.map(entry),
    });
  }
  const small = order.filter((k) => counts[k] < few);
  if (small.length > 0) {
    findings.push({
      kind: 'small-classes',
      severity: 'warning',
      title: `${plural(small.length, 'class', 'classes')} with fewer than ${few} training pictures`,
      advice: 'Start from pretrained weights, augment strongly, or collect more.',
      count: small.length,
      cases: [],
      entries: small.map(entry),
    });
  }
  for (const part of partNames) {
    const dataset = splits[part];
    if (dataset === undefined || part === 'train') continue;
    const here = countsOf(dataset.labels, classes.length);
    const missing = classes.filter((_, k) => here[k] === 0);
    if (missing.length === 0) continue;
    findings.push({
      kind: `classes-missing-in-${part}`,
      severity: 'warning',
      title: `${plural(missing.length, 'class', 'classes')} without a picture in the ${part} part`,
      advice: 'Nothing can be said of how well they are recognised.',
      count: missing.length,
      cases: [],
      entries: missing.map((name) => ({ name, detail: `none in ${part}` })),
    });
  }
  return findings;
}

function countsOf(labels: Int32Array, classes: number): Int32Array {
  const counts = new Int32Array(classes);
  for (const label of labels) counts[label]++;
  return counts;
}

/** Findings about copies: the same picture twice in a class, in two classes, or in two parts of the data.
 *  Exact copies by their bytes, near ones by perceptual hash and then by comparison. */

import { Random, streams } from '../data/random.ts';
import { plural } from '../evaluate/report-format.ts';
import type { Case, Finding, Severity } from './finding.ts';
import type { Examined } from './inspect.ts';
import { likeness } from './picture-facts.ts';
import { furthest, similarPairs } from './similar-pairs.ts';

/** Correlation of two 16 × 16 pictures from which on they count as copies, where strangers look different and alike. */
const copyLikeness = { photographs: 0.98, lookalikes: 0.995 } as const;
/** Pictures with less contrast all look alike: they are the finding `blank-pictures` instead. */
const leastContrast = 4;

export function checkCopies(examined: readonly Examined[], classes: readonly string[]): Finding[] {
  const exact = exactCopies(examined);
  const near = nearCopies(examined, exact);
  return [
    ...findingsOf(
      'exact',
      exact.filter((group) => group.length > 1),
      classes,
    ),
    ...findingsOf('near', near, classes),
  ];
}

/** Every picture is in one group; a group of one has no copy. */
export function exactCopies(examined: readonly Examined[]): Examined[][] {
  const groups = new Map<string, Examined[]>();
  examined.forEach((one, i) => {
    const key = one.file?.digest ?? `${i}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  });
  return [...groups.values()];
}

/** Groups of pictures that look alike but are not the same bytes; one of each group of exact copies stands for it. */
export function nearCopies(examined: readonly Examined[], exact = exactCopies(examined)): Examined[][] {
  const shown = exact.flatMap(([first]) =>
    first.picture !== undefined && first.picture.contrast >= leastContrast
      ? [{ first, hash: first.picture.hash, tiny: first.picture.tiny }]
      : [],
  );
  // Distinct hashes, and who has each.
  const owners = new Map<string, number[]>();
  shown.forEach(({ hash }, i) => {
    const key = hash.join();
    const list = owners.get(key);
    if (list === undefined) owners.set(key, [i]);
    else list.push(i);
  });
  const lists = [...owners.values()];
  const parents = Int32Array.from(shown.keys());
  const rootOf = (i: number) => {
    let root = i;
    while (parents[root] !== root) root = parents[root];
    while (parents[i] !== root) [parents[i], i] = [root, parents[i]];
    return root;
  };
  const bar = likenessOfCopies(shown.map(({ tiny }) => tiny));
  const compare = (i: number, j: number) => {
    if (rootOf(i) === rootOf(j)) return;
    if (likeness(shown[i].tiny, shown[j].tiny) >= bar) {
      const [a, b] = [rootOf(i), rootOf(j)];
      parents[Math.max(a, b)] = Math.min(a, b);
    }
  };
  for (const list of lists) for (let k = 1; k < list.length; k++) compare(list[0], list[k]);
  const hashes = Uint32Array.from(lists.flatMap(([first]) => [...shown[first].hash]));
  similarPairs(hashes, furthest, (a, b) => {
    for (const i of lists[a].slice(0, 4)) for (const j of lists[b].slice(0, 4)) compare(i, j);
  });
  const groups = new Map<number, Examined[]>();
  shown.forEach(({ first }, i) => {
    const root = rootOf(i);
    const group = groups.get(root);
    if (group === undefined) groups.set(root, [first]);
    else group.push(first);
  });
  return [...groups.values()].filter((group) => group.length > 1);
}

/**
 * From which likeness on two pictures of this set are copies. Shirts on black all look alike, photographs do not; so the
 * bar is ten times closer to 1 than the nearest stranger usually is, between 0.98 (a third of the size and strong
 * compression stay above it) and 0.995 (chosen by looking at pairs of Fashion-MNIST).
 */
export function likenessOfCopies(pictures: readonly Uint8Array[]): number {
  const random = Random.at(0, streams.subset);
  const nearest = Array.from({ length: Math.min(200, pictures.length) }, () => {
    const one = pictures[random.integer(pictures.length)];
    let most = -1;
    for (let k = 0; k < 300; k++) {
      const other = pictures[random.integer(pictures.length)];
      if (other !== one) most = Math.max(most, likeness(one, other));
    }
    return most;
  }).sort((a, b) => a - b);
  const usual = nearest[nearest.length >> 1] ?? 0;
  return Math.min(copyLikeness.lookalikes, Math.max(copyLikeness.photographs, 1 - (1 - usual) / 10));
}

const words = {
  exact: { name: 'exact copies', look: 'the same file' },
  near: { name: 'near-copies', look: 'look almost the same' },
} as const;

function findingsOf(how: keyof typeof words, groups: readonly Examined[][], classes: readonly string[]): Finding[] {
  const distinct = (group: readonly Examined[], of: (one: Examined) => number | string) => new Set(group.map(of)).size;
  const acrossParts = groups.filter((group) => distinct(group, ({ part }) => part) > 1);
  const acrossClasses = groups.filter((group) => distinct(group, ({ label }) => label) > 1);
  const within = groups.filter((group) => !acrossParts.includes(group) && !acrossClasses.includes(group));
  const caseOf = (group: Examined[]): Case => {
    const parts = [...new Set(group.map(({ part }) => part))].join(', ');
    const names = [...new Set(group.map(({ label }) => classes[label]))].join(', ');
    return { pictures: group, detail: `${parts}: ${names}` };
  };
  const finding = (kind: string, severity: Severity, chosen: readonly Examined[][], where: string, advice: string) => {
    if (chosen.length === 0) return [];
    const count = chosen.reduce((sum, group) => sum + group.length, 0);
    const title = `${plural(count, 'picture')} in ${plural(chosen.length, 'group')} of ${words[how].name} ${where}`;
    return [{ kind: `${how}-copies-${kind}`, severity, title, advice, count, cases: chosen.map(caseOf) }];
  };
  return [
    ...finding(
      'across-parts',
      how === 'exact' ? 'problem' : 'warning',
      acrossParts,
      'across parts',
      'What is tested was learned: the measured accuracy is too good. Keep copies in one part.',
    ),
    ...finding(
      'across-classes',
      how === 'exact' ? 'problem' : 'warning',
      acrossClasses,
      'with different labels',
      'At least one of the labels is wrong, or the classes overlap: decide for one.',
    ),
    ...finding(
      'within-class',
      how === 'exact' ? 'warning' : 'note',
      within,
      'within a class and part',
      'They count double in training: keep one of each unless that is meant.',
    ),
  ];
}

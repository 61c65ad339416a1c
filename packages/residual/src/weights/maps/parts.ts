/** Fills the templates of a map with the numbers of each part of a ResNet: from torchvision's name of a part, as
 *  `layer2.0.downsample.0`, to the name that the map's origin gives it. */

import type { PartNames } from './map.ts';

interface Place {
  readonly template: string;
  readonly stage: number;
  readonly block: number;
  /** From 0 within the block; a shortcut's comes after the others. */
  readonly conv: number;
}

/** @param parts torchvision's names of all parts, in the order of the data; norms may be among them */
export function partNames(names: PartNames, parts: readonly string[]): ReadonlyMap<string, string> {
  const counts = blockCounts(parts);
  return new Map(parts.map((part) => [part, nameOf(names, counts, part)]));
}

/** How many convolutions each block has, that of its shortcut apart. */
function blockCounts(parts: readonly string[]): ReadonlyMap<string, { main: number; shortcut: number }> {
  const counts = new Map<string, { main: number; shortcut: number }>();
  for (const part of parts) {
    const [, block, what] = /^(layer\d+\.\d+)\.(conv\d+|downsample\.0)$/.exec(part) ?? [];
    if (block === undefined || what === undefined) continue;
    const count = counts.get(block) ?? { main: 0, shortcut: 0 };
    if (what === 'downsample.0') count.shortcut++;
    else count.main++;
    counts.set(block, count);
  }
  return counts;
}

function nameOf(names: PartNames, counts: ReturnType<typeof blockCounts>, part: string): string {
  if (part === 'conv1' || part === 'bn1' || part === 'fc') return names[part];
  const place = placeOf(names, counts, part);
  if (place === undefined) return part;
  const { template, stage, block, conv } = place;
  let before = 0;
  let beforeMain = 0;
  for (let i = 0; i < block; i++) {
    const { main, shortcut } = counts.get(`layer${stage}.${i}`) ?? { main: 0, shortcut: 0 };
    before += main + shortcut;
    beforeMain += main;
  }
  const numbers: Readonly<Record<string, number>> = {
    stage,
    stage0: stage - 1,
    stage2: stage + 1,
    feature: stage + 3,
    block,
    block1: block + 1,
    conv: conv + 1,
    conv0: conv,
    n: before + conv,
    m: beforeMain + conv,
    body: 3 * conv,
    body1: 3 * conv + 1,
  };
  return template.replace(/\{(\w+)\}/g, (_, key: string) => {
    const number = numbers[key];
    if (number === undefined) throw new Error(`internal: no number is called {${key}} in ${template}`);
    return `${number}`;
  });
}

function placeOf(names: PartNames, counts: ReturnType<typeof blockCounts>, part: string): Place | undefined {
  const match = /^layer(\d+)\.(\d+)\.(conv|bn|downsample\.)(\d+)$/.exec(part);
  if (match === null) return undefined;
  const [, stage, block, what, number] = match;
  const at = { stage: Number(stage), block: Number(block) };
  if (what !== 'downsample.') {
    return { ...at, template: what === 'conv' ? names.conv : names.bn, conv: Number(number) - 1 };
  }
  const main = counts.get(`layer${stage}.${block}`)?.main ?? 0;
  return { ...at, template: number === '0' ? names.shortcutConv : names.shortcutNorm, conv: main };
}

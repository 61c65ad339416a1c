/** Numbers as text: the edges where a unit or a digit changes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bytes,
  clock,
  compact,
  count,
  decimal,
  duration,
  escapeHtml,
  percent,
  plain,
  plural,
  wilson,
} from './report-format.ts';

/** Each row: a call's result, and what it must be. */
const cases: readonly (readonly [string, string])[] = [
  [count(12_000), '12,000'],
  [compact(9999), '9,999'],
  [compact(11_172_810), '11.2 M'],
  [compact(999_960), '1.00 M'],
  [compact(1_814_000_000), '1.81 G'],
  [percent(0.9134), '91.3 %'],
  [percent(1), '100.0 %'],
  [percent(Number.NaN), '–'],
  [decimal(0.28741), '0.287'],
  [decimal(12.3456), '12.35'],
  [decimal(0), '0'],
  [decimal(0.00001), '1.0e-5'],
  [decimal(Number.NaN), 'not a number'],
  [plain(0.1), '0.1'],
  [plain(5e-4), '0.0005'],
  [plain(0.0000056), '5.6e-6'],
  [plain(0.1 + 0.2), '0.3'],
  [duration(8.44), '8.4 s'],
  [duration(59.7), '1 min 00 s'],
  [duration(272), '4 min 32 s'],
  [duration(3600), '1 h 00 min'],
  [duration(97_200), '1 d 3 h'],
  [clock(7), '0:07'],
  [clock(3729), '1:02:09'],
  [clock(Number.NaN), '-:--'],
  [bytes(1536), '1.5 KiB'],
  [bytes(44_719_884), '42.6 MiB'],
  [plural(1, 'image'), '1 image'],
  [plural(2000, 'class', 'classes'), '2,000 classes'],
  [escapeHtml(`<a href="x">'&`), '&lt;a href=&quot;x&quot;&gt;&#39;&amp;'],
];

test('numbers are written as people read them', () => {
  for (const [text, expected] of cases) assert.equal(text, expected);
});

test("Wilson's interval holds the proportion, stays inside 0 to 1, and narrows with more images", () => {
  const [low, high] = wilson(1848, 2000);
  assert.ok(Math.abs(low - 0.9116) < 5e-4 && Math.abs(high - 0.9348) < 5e-4, `${low} ${high}`);
  assert.ok(wilson(10, 10)[1] > 0.999999 && wilson(10, 10)[1] <= 1);
  assert.ok(wilson(10, 10)[0] < 0.75);
  assert.deepEqual(wilson(0, 0), [0, 1]);
});

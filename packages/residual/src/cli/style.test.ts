/** When to colour, and how wide text is. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columns, makeStyle, showsUnicode, wantsColour } from './style.ts';

test('colours are for terminals, and for those who want them', () => {
  const terminal = { isTTY: true };
  const pipe = {};
  assert.equal(wantsColour(terminal, {}), true);
  assert.equal(wantsColour(pipe, {}), false);
  assert.equal(wantsColour(terminal, { NO_COLOR: '1' }), false);
  assert.equal(wantsColour(terminal, { NO_COLOR: '' }), true);
  assert.equal(wantsColour(terminal, { TERM: 'dumb' }), false);
  assert.equal(wantsColour(pipe, { FORCE_COLOR: '1' }), true);
  assert.equal(wantsColour(terminal, { FORCE_COLOR: '0' }), false);
  assert.equal(wantsColour(terminal, { NO_COLOR: '1', FORCE_COLOR: '1' }), false);
});

test('lines are drawn in ASCII where the locale is not UTF-8', () => {
  assert.equal(showsUnicode({ LANG: 'C' }, 'linux'), false);
  assert.equal(showsUnicode({ LANG: 'de_DE.UTF-8' }, 'linux'), true);
  assert.equal(showsUnicode({ LANG: 'en_US.UTF-8', LC_ALL: 'C' }, 'linux'), false);
  assert.equal(showsUnicode({ TERM: 'linux', LANG: 'C.UTF-8' }, 'linux'), false);
  assert.equal(showsUnicode({}, 'darwin'), true);
});

test('colours take no columns', () => {
  assert.equal(columns(makeStyle(true).red('abc')), 3);
  assert.equal(makeStyle(false).red('abc'), 'abc');
  assert.equal(columns('━━'), 2);
});

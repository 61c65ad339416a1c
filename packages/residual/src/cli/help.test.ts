/** Help pages: every option and example of every command, within the width. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseArguments } from './arguments.ts';
import { augmentCommand } from './augment.ts';
import type { Command } from './command.ts';
import { evaluateCommand } from './evaluate.ts';
import { commandHelp, overview, wrap } from './help.ts';
import { predictCommand } from './predict.ts';
import { makeStyle } from './style.ts';
import { summaryCommand } from './summary.ts';
import { trainCommand } from './train.ts';

const commands = [
  trainCommand,
  augmentCommand,
  evaluateCommand,
  predictCommand,
  summaryCommand,
] as unknown as readonly Command[];
const style = makeStyle(false);

for (const command of commands) {
  test(`the help of ${command.name} names all that it takes and keeps to the width`, () => {
    const text = commandHelp(command, style, 80);
    for (const [name, option] of Object.entries(command.options)) {
      const shown = option.kind === 'flag' && option.default === true ? `--no-${name}` : `--${name}`;
      assert.ok(text.includes(`  ${shown}`), `${shown} is missing`);
    }
    for (const [line] of command.examples) assert.ok(text.includes(line));
    for (const line of text.split('\n')) assert.ok([...line].length <= 80, `too long: ${line}`);
  });

  test(`the examples of ${command.name} can be typed`, () => {
    for (const [line] of command.examples) {
      const words = line.replace(/ >.*/, '').split(' ');
      assert.deepEqual(words.slice(0, 2), ['residual', command.name]);
      parseArguments(command, words.slice(2));
    }
  });
}

test('the overview lists the commands', () => {
  const text = overview(commands, style);
  for (const command of commands) assert.ok(text.includes(`${command.summary}\n`));
});

test('text is broken at spaces', () => {
  assert.deepEqual(wrap('one two three', 7), ['one two', 'three']);
  assert.deepEqual(wrap('immeasurably long', 5), ['immeasurably', 'long']);
  assert.deepEqual(wrap('a\nb', 10), ['a', 'b']);
});

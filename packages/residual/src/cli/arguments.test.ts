/** Reading a command line: values, mistakes, and what is suggested instead. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseArguments } from './arguments.ts';
import { defineCommand, UsageError } from './command.ts';
import { predictCommand } from './predict.ts';
import { trainCommand } from './train.ts';

const parse = (...argv: string[]) => parseArguments(trainCommand, argv);

/** The mistake in a command line, as `message | hint`. */
function mistake(...argv: string[]): string {
  try {
    parse(...argv);
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error));
    assert.doesNotMatch(error.message, /\n/);
    return `${error.message} | ${error.hint ?? ''}`;
  }
  return assert.fail(`residual train ${argv.join(' ')} was accepted`);
}

test('options get their types, and only those that were given are there', () => {
  const { positionals, values, help } = parse('photos', '--epochs', '3', '--lr=0.05', '--json', '--stem', 'cifar');
  assert.deepEqual(positionals, ['photos']);
  assert.deepEqual({ ...values }, { epochs: 3, lr: 0.05, json: true, stem: 'cifar' });
  assert.equal(help, false);
});

test('flags can be turned off', () => {
  assert.deepEqual({ ...parse('--no-flip', '--nesterov').values }, { flip: false, nesterov: true });
  assert.match(mistake('--no-epochs'), /no option --no-epochs/);
  assert.match(mistake('--json=yes'), /--json takes no value, received 'yes'/);
});

test('--resume may stand alone', () => {
  assert.equal(parse('--resume').values.resume, '');
  assert.deepEqual({ ...parse('--resume', '--quiet').values }, { resume: '', quiet: true });
  assert.equal(parse('--resume', 'runs/first').values.resume, 'runs/first');
});

test('the last of several values counts, and -- ends the options', () => {
  assert.equal(parse('--epochs', '3', '--epochs', '4').values.epochs, 4);
  assert.deepEqual(parse('--', '--odd-name').positionals, ['--odd-name']);
});

test('--help wins over everything that follows', () => {
  assert.equal(parse('--help', '--nonsense').help, true);
  assert.equal(parse('-h').help, true);
});

test('unknown options name the nearest one', () => {
  assert.equal(mistake('--epoch', '3'), 'residual train has no option --epoch | did you mean --epochs?');
  assert.match(mistake('--weight-dec', '3'), /did you mean --weight-decay\?/);
  assert.match(mistake('--no-flp'), /did you mean --no-flip\?/);
  assert.match(mistake('-q'), /no option -q/);
  assert.match(mistake('--qwertz'), /residual train --help lists the options/);
  assert.match(mistake('--toString'), /no option --toString/);
});

test('values out of range name the option, the rule and the value', () => {
  assert.match(mistake('--epochs', '0'), /^--epochs must be a whole number from 1 to 100000, received '0'/);
  assert.match(mistake('--epochs', '2.5'), /received '2\.5'/);
  assert.match(mistake('--lr', '0'), /^--lr must be a number greater than 0, received '0'/);
  assert.match(mistake('--lr', 'fast'), /received 'fast'/);
  assert.match(mistake('--momentum', '1'), /^--momentum must be a number from 0 and below 1, received '1'/);
  assert.match(mistake('--warmup', '-1'), /^--warmup must be a number from 0 up, received '-1'/);
  assert.match(
    mistake('--stem', 'cifra'),
    /^--stem must be one of cifar, imagenet; received 'cifra' \| did you mean cifar/,
  );
});

test('a forgotten value is not taken from the next option', () => {
  assert.match(mistake('--lr'), /^--lr needs a value: --lr X/);
  assert.match(mistake('--name', '--epochs', '3'), /^--name needs a value/);
});

test('too many and too few arguments', () => {
  assert.match(mistake('a', 'b'), /takes no argument 'b' \| usage: residual train \[DATA\]/);
  assert.throws(() => parseArguments(predictCommand, ['runs/first']), /residual predict needs IMAGE…/);
  assert.throws(() => parseArguments(predictCommand, []), /residual predict needs RUN/);
});

test('a rule with a largest value only', () => {
  const command = defineCommand({
    name: 'c',
    summary: '',
    arguments: '',
    takes: [0, 0],
    about: '',
    options: { n: { kind: 'integer', value: 'N', max: 5, help: '' } },
    examples: [],
    run: async () => 0,
  });
  assert.throws(() => parseArguments(command, ['--n', '6']), /--n must be a whole number of at most 5, received '6'/);
});

test('an option that may be given more than once keeps all of its values', () => {
  const { values } = parseArguments(trainCommand, ['--set', 'a=1', '--lr', '2', '--set', 'b=2']);
  assert.deepEqual(values.set, ['a=1', 'b=2']);
});

/** Reads a command's arguments by node:util's parser and checks each value against the command's options.
 *  Every mistake is one line that names the option, the rule, the value, and the nearest valid choice. */

import { parseArgs } from 'node:util';
import { type Command, type Option, type Options, UsageError, type Values } from './command.ts';
import { nearest } from './nearest.ts';

export interface Parsed<O extends Options> {
  readonly positionals: readonly string[];
  readonly values: Values<O>;
  /** `--help` was among the arguments. */
  readonly help: boolean;
}

/**
 * Parses the arguments that follow the command's name.
 *
 * @throws UsageError
 */
export function parseArguments<O extends Options>(command: Command<O>, argv: readonly string[]): Parsed<O> {
  const { options } = command;
  const hint = `residual ${command.name} --help lists the options`;
  const known = Object.keys(options);
  const { tokens } = parseArgs({
    args: withBareValues(options, argv),
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      ...Object.fromEntries(
        known.map((name) => [name, { type: options[name]?.kind === 'flag' ? 'boolean' : 'string' } as const]),
      ),
    },
  });

  const positionals: string[] = [];
  const values: Record<string, string | number | boolean | readonly string[]> = {};
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      positionals.push(token.value);
      continue;
    }
    if (token.name === 'help') return { positionals, values: {}, help: true };
    const negated = token.name.startsWith('no-') && options[token.name.slice(3)]?.kind === 'flag';
    const name = negated ? token.name.slice(3) : token.name;
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) {
      const flags = known.filter((one) => options[one]?.kind === 'flag').map((one) => `no-${one}`);
      const close = nearest(name, [...known, ...flags, 'help']);
      throw new UsageError(
        `residual ${command.name} has no option ${token.rawName}`,
        close === undefined ? hint : `did you mean --${close}?`,
      );
    }
    const value = negated ? false : checkedValue(name, option, token.value);
    const many = option.kind === 'text' && option.many === true;
    values[name] = many ? [...((values[name] as readonly string[] | undefined) ?? []), String(value)] : value;
  }

  const [least, most] = command.takes;
  const usage = `usage: residual ${command.name} ${command.arguments}`;
  if (positionals.length < least) {
    throw new UsageError(`residual ${command.name} needs ${command.arguments.split(' ')[positionals.length]}`, usage);
  }
  if (positionals.length > most) {
    throw new UsageError(`residual ${command.name} takes no argument '${positionals[most]}'`, usage);
  }
  return { positionals, values: values as Values<O>, help: false };
}

/** `--resume` at the end or before another option means `--resume=`, where the option may stand alone. */
function withBareValues(options: Options, argv: readonly string[]): string[] {
  return argv.map((argument, i) => {
    const option = argument.startsWith('--') ? options[argument.slice(2)] : undefined;
    const next = argv[i + 1];
    const alone = next === undefined || (next.startsWith('-') && next !== '-');
    return option?.kind === 'text' && option.bare !== undefined && alone ? `${argument}=` : argument;
  });
}

function checkedValue(name: string, option: Option, given: string | undefined): string | number | boolean {
  if (option.kind === 'flag') {
    if (given !== undefined) throw new UsageError(`--${name} takes no value, received '${given}'`);
    return true;
  }
  if (option.kind === 'text' && option.bare !== undefined && given === '') return option.bare;
  // A long option where a value should stand is more likely a forgotten value than a value.
  if (given === undefined || given === '' || given.startsWith('--')) {
    throw new UsageError(`--${name} needs a value: --${name} ${option.value}`, option.help);
  }
  switch (option.kind) {
    case 'text':
      return given;
    case 'choice':
      if (!option.choices.includes(given)) {
        const close = nearest(given, option.choices);
        throw new UsageError(
          `--${name} must be one of ${option.choices.join(', ')}; received '${given}'`,
          close === undefined ? undefined : `did you mean ${close}?`,
        );
      }
      return given;
    case 'number':
    case 'integer': {
      const value = given.trim() === '' ? Number.NaN : Number(given);
      const inside =
        Number.isFinite(value) &&
        (option.kind === 'number' || Number.isSafeInteger(value)) &&
        (option.min === undefined || value > option.min || (value === option.min && option.above !== true)) &&
        (option.max === undefined || value < option.max || (value === option.max && option.below !== true));
      if (!inside) throw new UsageError(`--${name} must be ${numberRule(option)}, received '${given}'`);
      return value;
    }
    default:
      return option satisfies never;
  }
}

function numberRule(option: Extract<Option, { kind: 'number' | 'integer' }>): string {
  const noun = option.kind === 'integer' ? 'a whole number' : 'a number';
  const from =
    option.min === undefined ? '' : option.above === true ? ` greater than ${option.min}` : ` from ${option.min}`;
  if (option.max === undefined) return `${noun}${from}${from === '' || option.above === true ? '' : ' up'}`;
  const to = option.below === true ? `below ${option.max}` : `${option.max}`;
  return `${noun}${from}${option.min === undefined ? ' of at most' : option.below === true || option.above === true ? ' and' : ' to'} ${to}`;
}

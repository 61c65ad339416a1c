/** What a command is: its options as data, from which parsing, checking and `--help` all follow.
 *  The work itself is loaded only when the command runs, so that help and mistakes answer at once. */

/** One `--option`. */
export type Option = TextOption | NumberOption | ChoiceOption | FlagOption;

interface Described {
  /** One line for `--help`. */
  readonly help: string;
  /** The heading under which `--help` lists it. Default `Options`. */
  readonly group?: string;
  /** Shown in `--help`; commands apply their defaults themselves. */
  readonly default?: string | number | boolean;
}

export interface TextOption extends Described {
  readonly kind: 'text';
  /** The value's name in help, e.g. `FOLDER`. */
  readonly value: string;
  /** What the option means when it stands without a value; without this, a value is required. */
  readonly bare?: string;
  /** It may be given more than once; its value is the list of all. */
  readonly many?: true;
}

export interface NumberOption extends Described {
  readonly kind: 'number' | 'integer';
  readonly value: string;
  /** The smallest and the largest allowed value, both included. */
  readonly min?: number;
  readonly max?: number;
  /** Excludes `max` itself. */
  readonly below?: true;
  /** Excludes `min` itself. */
  readonly above?: true;
}

export interface ChoiceOption extends Described {
  readonly kind: 'choice';
  readonly value: string;
  readonly choices: readonly string[];
}

/** `--name` and `--no-name`. */
export interface FlagOption extends Described {
  readonly kind: 'flag';
}

export type Options = Readonly<Record<string, Option>>;

type Value<O extends Option> = O extends FlagOption
  ? boolean
  : O extends NumberOption
    ? number
    : O extends { readonly many: true }
      ? readonly string[]
      : string;

/** What the user gave, checked; options that were not given are absent. */
export type Values<O extends Options> = { readonly [Name in keyof O]?: Value<O[Name]> };

export interface Command<O extends Options = Options> {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** Positional arguments as help shows them, e.g. `RUN IMAGE…`; upper case, in brackets where optional. */
  readonly arguments: string;
  /** How many positional arguments it takes. */
  readonly takes: readonly [least: number, most: number];
  /** Paragraphs of help. */
  readonly about: string;
  readonly options: O;
  readonly examples: readonly (readonly [command: string, meaning: string])[];
  /** Does the work; its result is the exit code. */
  run(positionals: readonly string[], values: Values<O>): Promise<number>;
}

/** Ties a command's option types to its `run`. */
export function defineCommand<const O extends Options>(command: Command<O>): Command<O> {
  return command;
}

/** A mistake in the command line: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** Something that could not be done, through no fault of ours: exit code 1, no stack trace. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

#!/usr/bin/env node
/** The command `residual`: finds the command that was asked for, runs it, and turns its end into an exit code.
 *  0 done, 1 failed, 2 a mistake in the command line, 130 interrupted. */

import { parseArguments } from './arguments.ts';
import { augmentCommand } from './augment.ts';
import { type Command, UsageError } from './command.ts';
import { evaluateCommand } from './evaluate.ts';
import { explain } from './explain.ts';
import { commandHelp, overview } from './help.ts';
import { nearest } from './nearest.ts';
import { predictCommand } from './predict.ts';
import { version } from './program.ts';
import { styleOf } from './style.ts';
import { summaryCommand } from './summary.ts';
import { trainCommand } from './train.ts';

/** In the order in which they are used. Each is run with the options that it declares itself. */
const commands = [
  trainCommand,
  augmentCommand,
  evaluateCommand,
  predictCommand,
  summaryCommand,
] as unknown as readonly Command[];

async function run(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  const style = styleOf(process.stdout);
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const asked = commands.find((command) => command.name === rest[0]);
    if (asked !== undefined) return printHelp(asked);
    process.stdout.write(overview(commands, style));
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  const command = commands.find((one) => one.name === name);
  if (command === undefined) {
    const names = commands.map((one) => one.name);
    const close = nearest(name, names);
    throw new UsageError(
      name.startsWith('-') ? `residual needs a command before ${name}` : `residual has no command '${name}'`,
      close === undefined ? `the commands are ${names.join(', ')}` : `did you mean residual ${close}?`,
    );
  }
  const { positionals, values, help } = parseArguments(command, rest);
  return help ? printHelp(command) : command.run(positionals, values);
}

function printHelp(command: Command): number {
  const width = Math.min(100, process.stdout.columns ?? 88);
  process.stdout.write(commandHelp(command, styleOf(process.stdout), width));
  return 0;
}

/** Tells of an error on stderr; returns the exit code. */
function report(error: unknown): number {
  const style = styleOf(process.stderr);
  const { message, hint, exitCode, stack } = explain(error);
  if (stack !== undefined) process.stderr.write(`${stack}\n`);
  process.stderr.write(`${style.red('error:')} ${message}\n`);
  if (hint !== undefined) process.stderr.write(`${style.dim(hint)}\n`);
  return exitCode;
}

// `residual … | head` closes the pipe early: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.exitCode = report(error);
}

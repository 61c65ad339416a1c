/** Help texts, written from the commands' own data.
 *  Pure: a width and colours go in, text comes out. */

import type { Command, Option } from './command.ts';
import type { Style } from './style.ts';

/** The page of `residual --help`. */
export function overview(commands: readonly Command[], style: Style): string {
  const widest = Math.max(...commands.map((command) => command.name.length));
  return [
    `${style.bold('residual')}: train, evaluate and use image classifiers`,
    '',
    `${style.bold('Usage')}  residual COMMAND [options]`,
    '',
    style.bold('Commands'),
    ...commands.map((command) => `  ${style.cyan(command.name.padEnd(widest))}  ${command.summary}`),
    '',
    style.bold('Examples'),
    ...commands.flatMap((command) => command.examples.slice(0, 1)).map(([line]) => `  ${line}`),
    '',
    `residual COMMAND --help tells more about each. residual --version prints the version.`,
    '',
  ].join('\n');
}

/** The page of `residual COMMAND --help`. `width` is in columns. */
export function commandHelp(command: Command, style: Style, width = 80): string {
  const lines = [
    `${style.bold(`residual ${command.name}`)}: ${command.summary}`,
    '',
    `${style.bold('Usage')}  residual ${command.name} ${command.arguments}${command.arguments === '' ? '' : ' '}[options]`,
    '',
    ...wrap(command.about, width),
  ];
  const entries = Object.entries(command.options);
  const groups = [...new Set(entries.map(([, option]) => option.group ?? 'Options'))];
  const left = (name: string, option: Option) => `  ${usage(name, option)}`;
  const column = Math.min(30, Math.max(...entries.map(([name, option]) => left(name, option).length)) + 2);
  for (const group of groups) {
    lines.push('', style.bold(group));
    for (const [name, option] of entries.filter(([, one]) => (one.group ?? 'Options') === group)) {
      const start = left(name, option);
      const text = wrap(describe(option), Math.max(30, width - column));
      const apart = start.length + 2 > column;
      lines.push(apart ? style.cyan(start) : `${style.cyan(start)}${' '.repeat(column - start.length)}${text.shift()}`);
      lines.push(...text.map((line) => ' '.repeat(column) + line));
    }
  }
  lines.push('', style.bold('Examples'));
  const widest = Math.max(...command.examples.map(([line]) => line.length));
  const besides = command.examples.every(([, meaning]) => widest + meaning.length + 6 <= width);
  for (const [line, meaning] of command.examples) {
    if (besides) lines.push(`  ${line.padEnd(widest)}  ${style.dim(meaning)}`);
    else lines.push(`  ${line}`, style.dim(`      ${meaning}`));
  }
  return `${lines.join('\n')}\n`;
}

function usage(name: string, option: Option): string {
  if (option.kind === 'flag') return option.default === true ? `--no-${name}` : `--${name}`;
  if (option.kind === 'text' && option.bare !== undefined) return `--${name} [${option.value}]`;
  return `--${name} ${option.value}${option.kind === 'text' && option.many === true ? ' …' : ''}`;
}

function describe(option: Option): string {
  const choices = option.kind === 'choice' ? ` (${option.choices.join(', ')})` : '';
  const fallback = option.default === undefined || option.kind === 'flag' ? '' : ` [${String(option.default)}]`;
  return `${option.help}${choices}${fallback}`;
}

/** Breaks text into lines of at most `width` columns, at spaces. Line ends in the text stay. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === '' ? word : `${line} ${word}`;
      }
    }
    lines.push(line);
    return lines;
  });
}

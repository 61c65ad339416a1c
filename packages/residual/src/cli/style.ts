/** Colours for the terminal, or their absence: NO_COLOR (no-color.org), FORCE_COLOR, TERM=dumb and pipes are respected.
 *  Also what the terminal can draw. */

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
  /** Whether lines and blocks may be drawn with characters beyond ASCII. */
  readonly unicode: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

const codes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

/** A style that colours or not. */
export function makeStyle(colours: boolean, unicode = true): Style {
  const paint =
    ([on, off]: readonly [number, number]) =>
    (text: string): string =>
      colours ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return {
    bold: paint(codes.bold),
    dim: paint(codes.dim),
    red: paint(codes.red),
    green: paint(codes.green),
    yellow: paint(codes.yellow),
    cyan: paint(codes.cyan),
    unicode,
  };
}

/** Whether to colour what goes to a stream. */
export function wantsColour(stream: { readonly isTTY?: boolean }, env: Environment = process.env): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '') return env.FORCE_COLOR !== '0';
  return stream.isTTY === true && env.TERM !== 'dumb';
}

/** Whether the terminal shows more than ASCII: a UTF-8 locale, or a system where one goes without saying. */
export function showsUnicode(env: Environment = process.env, platform: string = process.platform): boolean {
  if (platform !== 'linux') return true;
  if (env.TERM === 'linux') return false;
  const locale = [env.LC_ALL, env.LC_CTYPE, env.LANG].find((value) => value !== undefined && value !== '');
  return locale === undefined || /utf-?8/i.test(locale);
}

/** The style for a stream of this process. */
export function styleOf(stream: { readonly isTTY?: boolean }): Style {
  return makeStyle(wantsColour(stream), showsUnicode());
}

/** The columns that text takes on the screen, colours not counted. */
export function columns(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
  return [...text.replace(/\x1b\[[0-9;]*m/g, '')].length;
}

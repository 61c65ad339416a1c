/** The program's own name and version.
 *  The version lies in package.json, two folders up in the sources and in the build. */

import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

export const version = manifest.version;

/** How the user starts this program from where he is: through npx inside a project that npm set up. */
export function invocation(env: Readonly<Record<string, string | undefined>> = process.env): string {
  return env.npm_command === undefined ? 'residual' : 'npx residual';
}

/** A word of a command as a shell needs it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

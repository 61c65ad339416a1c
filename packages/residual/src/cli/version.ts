/** The package's own version, from its package.json, which lies two folders up in the sources and in the build.
 *  Recorded with every run. */

import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

export const version = manifest.version;

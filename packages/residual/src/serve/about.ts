/** The package's version, for documents and clients. It lies in package.json, two folders up in the sources and in the
 *  build. */

import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

export const { version } = manifest;

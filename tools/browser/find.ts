/** Finds a Chromium on this machine for the tests and the bench that run in a page. Nothing is ever downloaded. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const PLACES = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** Said where there is none. */
export const NO_BROWSER =
  'no Chromium is found: install one (Debian: apt-get install chromium), or name it by RESIDUAL_CHROMIUM=/path/to/chromium';

/**
 * The executable that `RESIDUAL_CHROMIUM` names, or a Chromium or Chrome of the PATH or of the usual places.
 *
 * @throws Error where RESIDUAL_CHROMIUM names what cannot be run
 */
export function findChromium(): string | undefined {
  const named = process.env.RESIDUAL_CHROMIUM;
  if (named !== undefined && named !== '') {
    if (!isExecutable(named)) throw new Error(`RESIDUAL_CHROMIUM must be a program that can be run, and is "${named}"`);
    return named;
  }
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), '/usr/bin', '/usr/local/bin'];
  return [...folders.flatMap((folder) => NAMES.map((name) => join(folder, name))), ...PLACES].find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where downloaded weights are kept: the place that each system has for what can be had again.
 *  Nothing is ever written outside it. */

import { homedir } from 'node:os';
import { posix, win32 } from 'node:path';
import type { WeightsEntry } from '../registry/entry.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `$XDG_CACHE_HOME/residual/weights` where that variable holds an absolute path (XDG Base Directory Specification);
 * otherwise `%LOCALAPPDATA%` on Windows, `~/Library/Caches` on macOS, `~/.cache` elsewhere.
 */
export function weightsCache(
  env: Environment = process.env,
  platform: string = process.platform,
  home: string = homedir(),
): string {
  const { isAbsolute, join } = platform === 'win32' ? win32 : posix;
  const usual = () => {
    if (platform === 'win32') return env.LOCALAPPDATA || join(home, 'AppData', 'Local');
    return platform === 'darwin' ? join(home, 'Library', 'Caches') : join(home, '.cache');
  };
  const named = env.XDG_CACHE_HOME;
  return join(named !== undefined && isAbsolute(named) ? named : usual(), 'residual', 'weights');
}

/** The folder of an entry inside the cache, e.g. `timm--resnet18.a1_in1k`. */
export function entryKey({ name }: Pick<WeightsEntry, 'name'>): string {
  return name.replaceAll('/', '--');
}

const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** A file name for what a URL names: its last part, without anything that a file system takes for more than a letter. */
export function fileNameOf(url: URL): string {
  const last = url.pathname.split('/').at(-1) ?? '';
  const plain = last
    .replace(/%[0-9a-f]{2}/gi, '_')
    .replace(/[^\w.-]/g, '_')
    .replace(/^[.-]+/, '')
    .slice(-100)
    .replace(/\.+$/, '');
  return plain === '' ? 'weights' : RESERVED.test(plain) ? `_${plain}` : plain;
}

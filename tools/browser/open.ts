/** Opens a module in a page of headless Chromium, isolated or not, and collects what the page says. */
import { type Browser, chromium, type Page } from 'playwright-core';
import { findChromium, NO_BROWSER } from './find.ts';
import { type Files, type Site, serve } from './serve.ts';

const FLAGS = [
  '--no-sandbox', // CI runs as root
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * @param flags of Chromium's, beside the usual ones
 * @throws Error where no Chromium is found
 */
export async function launch(...flags: readonly string[]): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error(NO_BROWSER);
  return chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...flags] });
}

export interface OpenOptions {
  /** Default true. */
  readonly isolated?: boolean;
  /** `globalThis.tfjsBackendJit`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** JavaScript that runs before the module. */
  readonly before?: string;
  /** Hears each line of the page's console at once. */
  readonly hear?: ((text: string) => void) | undefined;
  /** Files beside the page, by path. */
  readonly files?: Files;
}

export interface Opened {
  readonly page: Page;
  /** What the page wrote to its console, and its uncaught errors. */
  readonly said: readonly string[];
  close(): Promise<void>;
}

/** A page with `code` as its module. Resolves when the module has run. */
export async function openPage(browser: Browser, code: string, options: OpenOptions = {}): Promise<Opened> {
  const { isolated = true, settings = {}, before = '', hear = () => {}, files = {} } = options;
  const html = `<!doctype html><title>test</title><link rel="icon" href="data:,">
    <script>globalThis.tfjsBackendJit = ${JSON.stringify(settings)}; ${before}</script>
    <script type="module">globalThis.loaded = import('/module.js').then(() => true);</script>`;
  const site: Site = await serve({ '/index.html': html, '/module.js': code, ...files }, isolated);
  const page = await browser.newPage();
  const said: string[] = [];
  page.on('console', (message) => {
    said.push(message.text());
    hear(message.text());
  });
  page.on('pageerror', (error) => said.push(String(error)));
  const close = async () => {
    await page.close();
    await site.close();
  };
  try {
    await page.goto(site.origin, { waitUntil: 'load' });
    await page.evaluate('globalThis.loaded');
  } catch (error) {
    await close();
    throw error;
  }
  return { page, said, close };
}

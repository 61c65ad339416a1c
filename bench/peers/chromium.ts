/**
 * This project's own backend in a page of headless Chromium: a process that drives the page through the bench's turns.
 * Argument: the work as JSON. The page is cross-origin isolated, so it has threads; browsers have no revectoriser.
 */
import { bundleForPage } from '../../tools/browser/bundle.ts';
import { launch, openPage } from '../../tools/browser/open.ts';
import { highWaterMark } from '../child.ts';
import { servePeer } from '../protocol.ts';
import type { Work } from '../work.ts';

const work = JSON.parse(process.argv[2]) as Work;
const { code } = await bundleForPage("import './chromium-page.ts';", import.meta.dirname, { minify: true });
const browser = await launch();
const { JIT_DEBUG, JIT_CONV } = process.env;
const debug = { ...(JIT_DEBUG && { JIT_DEBUG }), ...(JIT_CONV && { JIT_CONV }) };
const { page } = await openPage(browser, code, {
  settings: { JIT_THREADS: String(work.threads), ...debug },
  hear: JIT_DEBUG ? (text) => console.error(text) : undefined,
});
const parameters = (await page.evaluate(`prepare(${JSON.stringify(work)})`)) as number;
// Chromium keeps spare renderers; ours is the one that the network has made large.
const devtools = await browser.newBrowserCDPSession();
const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
const [memoryOf] = processInfo
  .filter(({ type }) => type === 'renderer')
  .map(({ id }) => id)
  .sort((a, b) => (highWaterMark(b) ?? 0) - (highWaterMark(a) ?? 0));
const version = browser.version().split('.')[0];
await servePeer({ version, parameters, memoryOf }, work.batch, async () => void (await page.evaluate('step()')));

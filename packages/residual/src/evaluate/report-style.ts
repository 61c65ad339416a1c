/** The report's style sheet: one palette for light and dark (`light-dark()`), readable for colour-blind eyes and on paper.
 *  Blue and orange keep their difference under every common colour-vision deficiency (Okabe and Ito). */

export const reportStyle = `
:root {
  color-scheme: light dark;
  --page: light-dark(#fcfcfa, #14161a);
  --sheet: light-dark(#ffffff, #1b1e24);
  --ink: light-dark(#1a1d21, #e8eaee);
  --soft: light-dark(#5c636e, #9aa3b0);
  --faint: light-dark(#e6e7e4, #2b2f37);
  --blue: light-dark(#0a5fb4, #62acf5);
  --orange: light-dark(#c24e00, #ff9a4d);
  --green: light-dark(#00755a, #45c9a0);
  --on: light-dark(#ffffff, #10131a);
}
:root[data-theme='light'] { color-scheme: light; }
:root[data-theme='dark'] { color-scheme: dark; }
* { box-sizing: border-box; }
html { background: var(--page); color: var(--ink); -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 1160px; padding: 44px 32px 72px;
  font: 15px/1.55 ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'Liberation Sans', 'DejaVu Sans', sans-serif;
  font-variant-numeric: tabular-nums; text-rendering: optimizeLegibility;
}
code, pre, .pairs dd { font-family: ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
header { display: flex; justify-content: space-between; align-items: flex-start; gap: 24px; }
.eyebrow { margin: 0 0 6px; font-size: 12px; letter-spacing: .09em; text-transform: uppercase; color: var(--soft); }
h1 { margin: 0; font-size: 27px; line-height: 1.2; font-weight: 650; letter-spacing: -.012em; overflow-wrap: anywhere; }
.lead { margin: 8px 0 0; color: var(--soft); max-width: 84ch; }
h2 { margin: 0 0 4px; font-size: 19px; font-weight: 640; letter-spacing: -.006em; }
h3 { margin: 0 0 8px; font-size: 13.5px; font-weight: 620; }
section { margin-top: 56px; }
section > p, .note { margin: 0 0 20px; color: var(--soft); max-width: 84ch; }
button.theme { flex: none; border: 1px solid var(--faint); background: var(--sheet); color: var(--soft); border-radius: 8px; padding: 6px 12px; font: inherit; font-size: 13px; cursor: pointer; }
button.theme:hover { color: var(--ink); border-color: var(--soft); }
.numbers { display: grid; grid-template-columns: minmax(324px, 2.2fr) repeat(5, minmax(108px, 1fr)); margin: 36px 0 0; border-block: 1px solid var(--faint); }
.numbers > div { padding: 20px 14px 20px 18px; border-left: 1px solid var(--faint); display: flex; flex-direction: column; }
.numbers > div:first-child { border-left: 0; padding-left: 0; }
.numbers dt { font-size: 12.5px; color: var(--soft); }
.numbers dd { margin: auto 0 0; font-size: 22px; line-height: 1.25; font-weight: 600; letter-spacing: -.015em; white-space: nowrap; }
.numbers dd small { font-size: .62em; font-weight: 500; letter-spacing: 0; color: var(--soft); margin-left: .12em; }
.numbers > div:first-child dd { font-size: 50px; line-height: 1.1; font-weight: 670; letter-spacing: -.03em; color: var(--blue); }
.numbers > div:first-child dd small { color: inherit; font-size: .52em; }
.numbers .under { margin: 3px 0 0; font-size: 12.5px; font-weight: 400; letter-spacing: 0; color: var(--soft); white-space: normal; min-height: 1.5em; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 30px 34px; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: 13.5px; font-weight: 620; margin-bottom: 4px; }
figcaption span { font-weight: 400; color: var(--soft); margin-left: .5em; }
svg { display: block; width: 100%; height: auto; font-family: inherit; }
svg text { fill: var(--ink); }
.chart { font-size: 11.5px; touch-action: pan-y; }
.chart .grid { stroke: var(--faint); stroke-width: 1; }
.chart .axis { stroke: color-mix(in srgb, var(--soft) 55%, transparent); stroke-width: 1; }
.chart .tick, .axis-name { fill: var(--soft); }
.chart .empty { fill: var(--soft); font-style: italic; }
.chart .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.chart .band { fill-opacity: .15; }
.chart .rule { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 3; visibility: hidden; }
.chart .mark { stroke: var(--page); stroke-width: 2; }
.chart .end-value { font-weight: 650; font-size: 12.5px; }
.line.c1 { stroke: var(--blue); } .band.c1, .dot.c1, .end.c1, .mark.c1 { fill: var(--blue); }
.line.c2 { stroke: var(--orange); } .band.c2, .dot.c2, .end.c2, .mark.c2 { fill: var(--orange); }
.line.c3 { stroke: var(--green); } .band.c3, .dot.c3, .end.c3, .mark.c3 { fill: var(--green); }
.chart.square { max-width: 520px; } .chart .bar { fill: var(--blue); } .chart .gap { fill: var(--orange); fill-opacity: .8; }
.chart .diagonal { fill: none; stroke: var(--soft); stroke-width: 1; stroke-dasharray: 4 4; } .line.other { stroke: var(--soft); stroke-opacity: .35; stroke-width: 1.2; }
.dot { stroke: var(--page); stroke-width: 1.2; }
.matrix { display: grid; grid-template-columns: minmax(0, 1.75fr) minmax(240px, 1fr); gap: 44px; align-items: start; }
.matrix.wide { grid-template-columns: minmax(0, 1fr); }
.matrix .confusion { min-width: min(100%, 300px); }
.confusion .field { fill: var(--sheet); stroke: var(--faint); }
.confusion .grid { stroke: var(--faint); stroke-width: .5; fill: none; }
.confusion .hit { fill: var(--blue); } .confusion .miss { fill: var(--orange); }
.confusion .hit:hover, .confusion .miss:hover { stroke: var(--ink); stroke-width: 1.5; }
.confusion .hits { pointer-events: none; } .confusion .hits.on { fill: var(--on); font-weight: 600; }
.key { display: flex; flex-wrap: wrap; gap: 6px 24px; margin-top: 12px; font-size: 12.5px; color: var(--soft); }
.key i { display: inline-block; width: 68px; height: 10px; border-radius: 3px; margin-right: 8px; vertical-align: -1px; }
.key .hit { background: linear-gradient(90deg, color-mix(in srgb, var(--blue) 8%, var(--sheet)), var(--blue)); }
.key .miss { background: linear-gradient(90deg, color-mix(in srgb, var(--orange) 10%, var(--sheet)), var(--orange)); }
ol.confused { list-style: none; margin: 0; padding: 0; font-size: 14px; }
ol.confused li { padding: 9px 0; border-top: 1px solid var(--faint); display: grid; grid-template-columns: 1fr auto; gap: 2px 14px; }
ol.confused li span:nth-child(2) { font-weight: 600; }
ol.confused b { font-weight: 600; } ol.confused .arrow { color: var(--orange); padding: 0 .35em; }
ol.confused small { grid-column: 1 / -1; color: var(--soft); font-size: 12.5px; }
.matrix.wide ol.confused { columns: 3 240px; column-gap: 40px; } .matrix.wide ol.confused li { break-inside: avoid; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: 7px 14px 7px 0; text-align: left; font-weight: 400; border-bottom: 1px solid var(--faint); }
thead th { color: var(--soft); font-size: 12.5px; position: relative; white-space: nowrap; }
thead th[data-sort] { cursor: pointer; } thead th[data-sort]:hover, thead th[aria-sort] { color: var(--ink); }
th[aria-sort='ascending']::after { content: ' ↑'; } th[aria-sort='descending']::after { content: ' ↓'; }
tfoot th, tfoot td { font-weight: 620; border-bottom: 0; }
.number { text-align: right; padding: 7px 0 7px 14px; width: 12%; }
.classes th[scope='row'] { white-space: nowrap; }
.classes thead .number:not(:last-child) { width: 15%; padding-right: 0; text-align: right; }
.score { position: relative; text-align: right; padding: 7px 0 10px 20px; white-space: nowrap; }
.score i { position: absolute; left: 32px; right: 0; bottom: 5px; height: 3px; border-radius: 2px; background: linear-gradient(90deg, var(--blue) var(--part), var(--faint) 0); }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(148px, 1fr)); gap: 22px 18px; }
.mistakes figure { break-inside: avoid; font-size: 13px; line-height: 1.4; }
.mistakes img { width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 8px; background: light-dark(#f0f0ed, #22262d); border: 1px solid var(--faint); }
.mistakes img.pixels { image-rendering: pixelated; }
.mistakes p { margin: 7px 0 0; display: grid; grid-template-columns: 1fr auto; column-gap: 8px; overflow-wrap: anywhere; }
.mistakes p span:nth-child(even) { text-align: right; }
.mistakes .said { color: var(--orange); font-weight: 620; } .mistakes .was { color: var(--blue); font-weight: 620; }
.mistakes small { display: block; color: var(--soft); font-size: 11.5px; margin-top: 2px; overflow-wrap: anywhere; }
.details { margin-top: 18px; display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 28px 48px; }
.pairs { margin: 0; font-size: 13.5px; }
.pairs div { display: grid; grid-template-columns: minmax(130px, 38%) 1fr; gap: 14px; padding: 6px 0; border-top: 1px solid var(--faint); }
.pairs dt { color: var(--soft); } .pairs dd { margin: 0; font-size: 12.5px; overflow-wrap: anywhere; }
pre { margin: 0; padding: 15px 18px; background: var(--sheet); border: 1px solid var(--faint); border-radius: 8px; overflow-x: auto; font-size: 13px; line-height: 1.6; white-space: pre-wrap; overflow-wrap: anywhere; }
details summary { cursor: pointer; color: var(--soft); }
footer { margin-top: 60px; padding-top: 16px; border-top: 1px solid var(--faint); color: var(--soft); font-size: 12.5px; }
#tip { position: fixed; z-index: 2; pointer-events: none; visibility: hidden; white-space: pre; background: var(--ink); color: var(--page); border-radius: 7px; padding: 7px 11px; font-size: 12.5px; line-height: 1.5; box-shadow: 0 4px 16px rgb(0 0 0 / .22); }
@media (max-width: 1020px) {
  .numbers { grid-template-columns: repeat(5, 1fr); }
  .numbers > div:first-child { grid-column: 1 / -1; border-bottom: 1px solid var(--faint); }
  .numbers > div:nth-child(2) { border-left: 0; padding-left: 0; }
  .matrix { grid-template-columns: minmax(0, 1fr); }
}
@media (max-width: 640px) {
  body { padding: 24px 18px 48px; }
  .numbers { grid-template-columns: 1fr 1fr; }
  .chart { font-size: 13px; }
  .numbers > div { border-top: 1px solid var(--faint); } .numbers > div:first-child { border-top: 0; border-bottom: 0; }
  .numbers > div:nth-child(even) { border-left: 0; padding-left: 0; }
}
@media print {
  :root, :root[data-theme] { color-scheme: light; }
  body { max-width: none; padding: 0; font-size: 11pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  button.theme, #tip { display: none; }
  section { margin-top: 30px; } h2, h3, figcaption { break-after: avoid; } figure, tr, li, .matrix svg, .numbers { break-inside: avoid; }
  .charts { grid-template-columns: 1fr 1fr; gap: 18px; }
  .matrix:not(.wide) { grid-template-columns: 1.75fr 1fr; gap: 20px; } .details { grid-template-columns: 1fr 1fr; gap: 20px; }
  .numbers { grid-template-columns: 1.9fr repeat(5, 1fr); } .numbers > div { padding-block: 10px; } .numbers dd { font-size: 15pt; } .numbers > div:first-child { grid-column: auto; border-bottom: 0; } .numbers > div:first-child dd { font-size: 30pt; }
  .mistakes { grid-template-columns: repeat(6, 1fr); }
  pre { white-space: pre-wrap; } details:not([open]) > * { display: block; }
}
`;

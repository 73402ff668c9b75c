/** Look of the page: light or dark as the reader's system has it, nothing fetched. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #fbfbf9; --card: #ffffff; --ink: #1d1c1a; --muted: #66645e; --line: #e4e2dc;
  --accent: #1f66d1; --grey: #a7a49b; --kept: #1f66d1; --repaired: #7db3f2; --broken: #e0762c; --wrong: #d8d5cd;
  --on-dark: #ffffff; --on-light: #1d1c1a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #161615; --card: #1e1e1c; --ink: #ecebe6; --muted: #a3a199; --line: #353430;
    --accent: #6ea8ff; --grey: #77756d; --kept: #3f7fe0; --repaired: #a5cdfa; --broken: #e58a48; --wrong: #45433e;
    --on-light: #161615;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1112px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 40px 0 4px; }
p { margin: 4px 0 12px; max-width: 78ch; }
p, figcaption, summary { color: var(--muted); }
.warning { color: var(--broken); font-weight: 600; }
figure { margin: 12px 0 0; padding: 16px 12px; background: var(--card); border: 1px solid var(--line); border-radius: 8px; overflow-x: auto; }
svg { display: block; max-width: 100%; height: auto; font: 12px system-ui, sans-serif; }
.panels { display: flex; flex-wrap: wrap; gap: 12px 6px; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 12px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; }
th { color: var(--muted); font-weight: 600; }
th[title] { text-decoration: underline dotted; text-underline-offset: 3px; cursor: help; }
th:first-child, td:first-child { text-align: left; font-weight: 600; }
.legend { display: flex; flex-wrap: wrap; gap: 6px 18px; margin: 0 0 10px; font-size: 13px; color: var(--muted); }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 2px; margin-right: 6px; vertical-align: -1px; }
summary { cursor: pointer; margin: 12px 0 4px; }
text { fill: var(--ink); }
.tick { fill: var(--muted); font-size: 11px; }
.label { fill: var(--muted); paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
.strong { fill: var(--ink); font-weight: 600; }
.inside { font-size: 11px; }
.on-kept, .on-broken { fill: var(--on-dark); }
.on-repaired { fill: var(--on-light); }
.on-wrong { fill: var(--ink); }
.grid { stroke: var(--line); }
.axis { stroke: var(--muted); }
.front { fill: none; stroke: var(--accent); stroke-width: 1.5; stroke-dasharray: 4 4; }
.point { fill: var(--grey); }
.point.best { fill: var(--accent); }
.whisker { stroke: var(--grey); stroke-width: 1.5; }
.whisker.best { stroke: var(--accent); }
.curve { fill: none; stroke: var(--grey); stroke-opacity: 0.35; stroke-width: 1.25; }
.curve.own { stroke: var(--accent); stroke-opacity: 1; stroke-width: 2; }
.bar { fill: var(--accent); fill-opacity: 0.55; }
.bar + .whisker { stroke: var(--ink); }
.kept { fill: var(--kept); background: var(--kept); }
.repaired { fill: var(--repaired); background: var(--repaired); }
.broken { fill: var(--broken); background: var(--broken); }
.wrong { fill: var(--wrong); background: var(--wrong); }
`.trim()

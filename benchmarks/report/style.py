"""The style sheet of the report."""

__all__ = ["STYLE"]

# Eight colors that stay apart for the color-blind (after Okabe and Ito), at 3:1 on the card.
STYLE = """
:root { color-scheme: light dark; --ink: #1d2126; --soft: #5b6573; --card: #fff; --page: #f3f4f6;
  --line: #dde1e6; --accent: #2f7d6b; --tint: #e9f4f1; --good: #1b6e3c; --good-back: #e0f3e6;
  --bad: #b3261e; --bad-back: #fbe6e4; --lost: #5b6573; --lost-back: #eceef1;
  --k0: #d1540a; --k1: #0069a8; --k2: #00855f; --k3: #b04a8c; --k4: #8a6d00; --k5: #2b8cc4;
  --k6: #6d4bb8; --k7: #6b7280; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --soft: #a2acb9; --card: #22262c; --page: #16191d; --line: #3a4048;
    --accent: #58b89f; --tint: #24332f; --good: #7fdca0; --good-back: #1d3a28; --bad: #ff9d94;
    --bad-back: #47211f; --lost: #a2acb9; --lost-back: #30353c;
    --k0: #ff8f4a; --k1: #5ab4f0; --k2: #35c79a; --k3: #ec9bcb; --k4: #e2c44c; --k5: #a3d8f7;
    --k6: #b7a1f2; --k7: #b0b7c1; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif;
  padding: 2rem clamp(1rem, 4vw, 4rem) 4rem; }
header, main { max-width: 1280px; margin: 0 auto; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; margin: 0 0 .25rem; }
h3 { font-size: .95rem; margin: 1.75rem 0 .4rem; }
.soft, figcaption { color: var(--soft); margin: 0 0 .6rem; max-width: 85ch; }
nav { display: flex; flex-wrap: wrap; gap: .4rem .5rem; margin: .75rem 0 1.5rem; }
nav a { color: var(--accent); text-decoration: none; border: 1px solid var(--line);
  border-radius: 99px; padding: .1rem .75rem; background: var(--card); font-size: .85rem; }
section { background: var(--card); border-radius: 12px; padding: 1.5rem clamp(1rem, 2.5vw, 2rem);
  margin-bottom: 1.5rem; box-shadow: 0 1px 3px #0002; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums;
  min-width: 60%; }
th, td { padding: .38rem .7rem; text-align: right; white-space: nowrap; vertical-align: baseline;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 500; border-bottom-width: 2px; }
tbody th { font-weight: 500; position: sticky; left: 0; background: var(--card); }
.words { text-align: left; }
td.words:last-child { white-space: normal; min-width: 4rem; }
td b { color: var(--accent); } td b.less { color: var(--bad); }
td small { display: block; color: var(--soft); font-size: .76rem; }
tr.ours > * { background: var(--tint); }
tr.ours th { font-weight: 700; box-shadow: inset 3px 0 var(--accent); }
.notes { color: var(--soft); font-size: .82rem; margin: .6rem 0 0; padding-left: 1.5rem;
  max-width: 100ch; }
.figures { display: grid; gap: 1.5rem 2rem; margin-top: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); }
figure { margin: 0; max-width: 40rem; }
figcaption { font-size: .82rem; }
.plot { width: 100%; height: auto; display: block; }
.plot path { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.plot text { font-size: 12px; fill: var(--soft); text-anchor: middle; }
.plot text.y { text-anchor: end; }
.plot .grid path { stroke: var(--line); stroke-width: 1; }
.plot .frame { stroke: var(--soft); stroke-width: 1; }
.plot .diagonal { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 4 4; }
.plot g > path { stroke: var(--c); }
.plot circle { fill: var(--c); stroke: var(--card); stroke-width: .6; }
.plot path.bars { stroke-width: 1.4; opacity: .55; }
.plot .faint { opacity: .3; }
.plot .faint circle { stroke: none; }
.plot g[class^="c"]:hover path { stroke-width: 3.5; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; margin: .3rem 0;
  padding: 0; font-size: .84rem; }
.legend svg { width: 28px; height: 8px; margin-right: .45rem; vertical-align: middle; }
.legend path { stroke: var(--c); stroke-width: 2.5; fill: none; }
.c0 { --c: var(--k0); } .c1 { --c: var(--k1); } .c2 { --c: var(--k2); } .c3 { --c: var(--k3); }
.c4 { --c: var(--k4); } .c5 { --c: var(--k5); } .c6 { --c: var(--k6); } .c7 { --c: var(--k7); }
.sheet { display: grid; gap: 1.1rem; margin-top: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(14.5rem, 1fr)); }
article { border: 1px solid var(--line); border-radius: 10px; overflow: hidden; display: flex;
  flex-direction: column; }
article img { width: 100%; aspect-ratio: 3 / 2; object-fit: cover; display: block; }
article p { margin: auto 0 0; padding: 0 .7rem .55rem; color: var(--soft); font-size: .75rem;
  overflow-wrap: anywhere; }
.chips { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem; margin: 0;
  padding: .65rem .7rem; }
.chips li, .key span { border-radius: 5px; padding: .02rem .45rem; font-size: .82rem;
  overflow-wrap: anywhere; }
.right { color: var(--good); background: var(--good-back); }
.wrong { color: var(--bad); background: var(--bad-back); }
.lost { color: var(--lost); background: var(--lost-back); }
.right::before { content: "✓ " / ""; } .wrong::before { content: "✗ " / ""; }
.lost::before { content: "+ " / ""; }
.key { white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .5rem 1.25rem;
  margin: .75rem 0 0; }
dt { font-weight: 600; } dd { margin: 0; color: var(--soft); max-width: 90ch; }
section > ul { padding-left: 1.2rem; color: var(--soft); margin: .5rem 0; }
section > ul b { color: var(--ink); font-weight: 600; margin-right: .3rem; }
@media (max-width: 34rem) {
  dl { grid-template-columns: 1fr; gap: .1rem; } dd { margin-bottom: .6rem; } }
@media print { section { box-shadow: none; break-inside: avoid-page; } nav { display: none; } }
"""

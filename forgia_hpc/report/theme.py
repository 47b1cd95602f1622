"""The style of every page: one ember accent, ink on paper, light, dark and on paper."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--paper:#fcfbf8;--card:#fff;--ink:#1e1c19;--soft:#5f5a52;
--line:#e6e1d8;
--grid:#eeeae2;--accent:#b4430c;--accent-faint:#e7b394;--wide:#f7dcc9;--narrow:#efb892;
--label:#f4d3bb;--grey:#8a847a;
--shade1:#b4430c;--shade2:#6b655c;--shade3:#b9b2a6;--shade4:#ddd8ce;
--serif:"Iowan Old Style","Palatino Linotype",Palatino,"Book Antiqua",Georgia,"Liberation Serif",
serif;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Liberation Sans",
sans-serif;
--mono:ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace}
@media (prefers-color-scheme:dark){:root{--paper:#161513;--card:#1d1c19;--ink:#eeeae3;
--soft:#aaa398;--line:#34312c;
--grid:#2a2824;--accent:#ff9a5e;--accent-faint:#7d4a2c;--wide:#402a1d;--narrow:#70452b;
--label:#4a3020;--grey:#8d867b;
--shade1:#ff9a5e;--shade2:#a39c91;--shade3:#645e55;--shade4:#3b3833}}
@media print{:root{color-scheme:light;--paper:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#ccc;
--grid:#e8e8e8;
--accent:#a33c0a;--accent-faint:#e0a684;--wide:#f7dcc9;--narrow:#efb892;--label:#f0d0b8;
--grey:#777;
--shade1:#a33c0a;--shade2:#666;--shade3:#aaa;--shade4:#ddd}
nav,.skip{display:none!important}figure,tr,.figures>div{break-inside:avoid}
h2{break-after:avoid}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 var(--sans);
font-variant-numeric:tabular-nums;
overflow-wrap:anywhere}
main,header,footer{max-width:1120px;margin:0 auto;padding:0 clamp(1rem,4vw,3rem)}
header{padding-top:clamp(2rem,6vw,4.5rem)}
h1{font:500 clamp(1.55rem,1.1rem + 2vw,2.5rem)/1.22 var(--serif);letter-spacing:-.012em;
margin:.7rem 0 1.1rem;
max-width:30em;text-wrap:pretty}
h2{font:500 1.6rem/1.25 var(--serif);letter-spacing:-.01em;margin:0 0 .35rem}
h3{font:600 .98rem/1.35 var(--sans);margin:0}
section{padding:2.4rem 0 1rem;border-top:1px solid var(--line);margin-top:2.4rem;
scroll-margin-top:1rem}
p{margin:.2rem 0 .8rem;max-width:46rem}
a{color:var(--accent);text-underline-offset:.18em}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px;border-radius:3px}
.skip{position:absolute;left:-99rem;background:var(--card);padding:.5rem 1rem;z-index:2}
.skip:focus{left:1rem;top:1rem}
.eyebrow{color:var(--soft);font-size:.92rem;margin:0;max-width:none}
.badge{display:inline-block;border:1.5px solid currentColor;border-radius:99px;padding:0 .7em;
font-weight:600;
color:var(--accent);margin-right:.6em}.badge.trouble{background:var(--accent);
border-color:var(--accent);color:var(--paper)}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.3rem;padding:0;margin:1rem 0 0;
font-size:.95rem}
nav a{display:inline-block;padding:.25rem 0}
.hint,figcaption p,.unit{color:var(--soft);font-weight:400}figcaption p{font-size:.88rem;margin:0}
.unit,.ending{font-weight:400}.ending{color:var(--accent);font-weight:600;margin-left:.35em}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:1.6rem 1.5rem;
margin:1.6rem 0}
.figures div{border-top:2px solid var(--ink);padding-top:.5rem}
.figures dt{color:var(--soft);font-size:.9rem}.figures dd{margin:0;
font:500 1.65rem/1.25 var(--serif)}
.figures dd small{display:block;font:400 .85rem/1.4 var(--sans);color:var(--soft)}
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));
gap:2.2rem 2.6rem;margin:1.5rem 0}
figure{margin:0;min-width:0}figcaption{min-height:1.4rem;margin-bottom:.35rem}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font:13px var(--sans);fill:var(--soft);font-variant-numeric:tabular-nums}
svg .name{fill:var(--ink)}svg .whole{font-weight:600}svg .value{fill:var(--accent);
font-weight:600}
.line{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
.line.accent{stroke:var(--accent);stroke-width:2.2}.line.faint{stroke:var(--accent-faint);
stroke-width:1}
.line.context{stroke:var(--grey);stroke-width:1.3}.line.truth{stroke:var(--ink);stroke-width:1.5}
.line.naive{stroke:var(--grey);stroke-width:1.4;stroke-dasharray:1.5 4}
.line.s0,.stroke.s0{stroke:#b4430c;border-color:#b4430c}.line.s1,.stroke.s1{stroke:#2b7a9b;
border-color:#2b7a9b}
.line.s2,.stroke.s2{stroke:#6f8a1f;border-color:#6f8a1f}.line.s3,.stroke.s3{stroke:#94519f;
border-color:#94519f}
.line.s4,.stroke.s4{stroke:#b98b00;border-color:#b98b00}.line.s5,.stroke.s5{stroke:#7d766c;
border-color:#7d766c}
.grid{stroke:var(--grid);stroke-width:1}.base{stroke:var(--grey);stroke-width:1}
.zero{stroke:var(--ink);stroke-width:1.2}
.mark{stroke:var(--soft);stroke-width:1;stroke-dasharray:4 3}
.band.wide{fill:var(--wide)}.band.narrow{fill:var(--narrow)}.label{fill:var(--label)}
.dot{fill:var(--accent);stroke:var(--paper);stroke-width:1.5}.dot.other{fill:var(--paper);
stroke:var(--soft);stroke-width:1.6}
.whisker{stroke:var(--accent);stroke-width:2.4;stroke-linecap:round}
.whisker.other{stroke:var(--shade3);stroke-width:2}
.key{list-style:none;display:flex;flex-wrap:wrap;gap:.3rem 1.5rem;padding:0;margin:.8rem 0;
font-size:.92rem;color:var(--soft)}
.key b{color:var(--ink)}.key li{display:flex;align-items:center;gap:.5em}
.swatch{width:1.1em;height:.8em;border-radius:2px;flex:none}.swatch.wide{background:var(--wide)}
.swatch.narrow{background:var(--narrow)}.swatch.shaded{background:var(--label)}
.ring{width:.75em;height:.75em;border-radius:50%;border:2px solid var(--soft);flex:none}
.ring.full{background:var(--accent);border-color:var(--accent)}
.stroke{width:1.6em;height:0;border-top:2px solid var(--ink);flex:none}
.stroke.context{border-color:var(--grey)}
.stroke.accent{border-color:var(--accent);border-width:3px}.stroke.naive{border-top-style:dotted;
border-color:var(--grey)}
.timing{margin:2.4rem 0 1rem}.bar{display:flex;height:1.7rem;gap:2px;border-radius:4px;
overflow:hidden;margin:.6rem 0}
.part{min-width:2px}.compute{background:var(--shade1)}.data{background:var(--shade2)}
.save{background:var(--shade3)}
.other{background:var(--shade4)}.dot.other,.whisker.other{background:none}
.scroll{overflow-x:auto;margin:1.2rem 0}table{border-collapse:collapse;width:100%;
font-size:.92rem}
th,td{text-align:left;padding:.36rem .9rem .36rem 0;border-top:1px solid var(--line);
vertical-align:top;white-space:nowrap}
thead th{border-top:0;color:var(--soft);font-weight:500;border-bottom:1.5px solid var(--ink)}
tbody th{font-weight:500}tbody tr:first-child>*,tr:has(>th>.unseen)>*{border-top:0}
.number{text-align:right;padding-left:.9rem;padding-right:0}.best{color:var(--accent);
font-size:.85em}
.facts th{width:14rem;color:var(--soft);font-weight:400}.facts td{white-space:normal;
font-family:var(--mono);font-size:.88rem}
pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:1rem 1.1rem;
overflow-x:auto;
font:.86rem/1.5 var(--mono);white-space:pre-wrap;margin:.6rem 0 1.2rem}
.warning{border-left:4px solid var(--accent);padding:.1rem 0 .1rem 1.1rem;margin:1.2rem 0}
.warning ul{padding-left:1.1rem}
.events{list-style:none;padding:0;margin:1.2rem 0}
.events li{display:grid;grid-template-columns:8.5rem 1fr;gap:0 1.2rem;padding:.42rem 0;
border-bottom:1px solid var(--line)}
.events time{color:var(--soft);font-size:.9rem}.events span{color:var(--soft)}
details{margin:1rem 0}summary{cursor:pointer;color:var(--accent);padding:.3rem 0}
footer{color:var(--soft);font-size:.88rem;padding-top:2rem;padding-bottom:4rem}
.spark{width:10rem;display:inline-block;vertical-align:middle}.spark-line{stroke:var(--accent);stroke-width:1.1}
.marks{fill:none;stroke-width:1.4}.marks.admitted{stroke:var(--grey);stroke-width:4.2;
stroke-linecap:round;opacity:.75}
.marks.open{stroke:var(--line);stroke-width:4.2;stroke-linecap:round}
.marks.rejected{stroke:var(--accent);stroke-width:1.8}.marks.poison{fill:var(--ink)}
rect.frame{fill:none;stroke:var(--line)}.mark-key{width:14px;height:14px;flex:none}
.bars{fill:var(--accent-faint);stroke:var(--card);stroke-width:.6}
.why{display:inline-block;min-width:14rem;max-width:30rem;white-space:normal}
.films{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,13.5rem),1fr));
gap:1.6rem 1.4rem;margin:1rem 0 2.4rem}
.film{break-inside:avoid}.refused .frame{outline:2px solid var(--accent)}
.frame{--at:0;aspect-ratio:var(--shape);background:var(--film) calc(100%*var(--at)) 0/
calc(100%*var(--frames)) 100% no-repeat;image-rendering:pixelated;border-radius:2px}
.film>.frame{max-width:calc(16rem*var(--shape));margin:.4rem 0}
.play{animation:film 5s steps(var(--frames),jump-none) infinite alternate}
@keyframes film{from{background-position-x:0}to{background-position-x:100%}}
@media (prefers-reduced-motion:reduce){.play{animation:none;background-position-x:calc(100%*var(--rest))}}
@media print{.play{animation:none;background-position-x:calc(100%*var(--rest))}}
.strip{list-style:none;display:flex;gap:.35rem;padding:0;margin:.5rem 0;font-size:.78rem;
color:var(--soft);text-align:center}.strip li{flex:1 1 0;min-width:0}
.ramp-row{display:flex;align-items:center;gap:.6em;font-size:.82rem;color:var(--soft)}
.ramp{flex:1;height:.6rem;border-radius:2px;max-width:16rem}
.sides{display:grid;grid-template-columns:auto repeat(var(--frames),minmax(0,1fr));gap:.3rem .4rem;
align-items:center;font-size:.82rem;color:var(--soft);margin:.5rem 0}
.one-row{display:contents}.pair{display:grid;grid-template-columns:
repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:1.2rem 2.6rem;margin:1.6rem 0 2.4rem}
.panels:has(>figure:only-child){max-width:34rem}
.sides span{text-align:center}.sides .row{text-align:right;padding-right:.4em}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);
white-space:nowrap}
@media (max-width:34rem){.facts tr{display:block;padding:.4rem 0;
border-bottom:1px solid var(--line)}
.facts th,.facts td{display:block;width:auto;border:0;padding:0}
.events li{grid-template-columns:1fr}svg text{font-size:15px}
.figures{grid-template-columns:1fr 1fr}.figures dd{font-size:1.4rem}}
"""

/** The report's style sheet: light, dark and paper; one column on a phone, a table of contents beside it on a desk. */
import { pageStyle } from './page-style.ts';

export const reportStyle = `${pageStyle}html{scroll-padding-top:5rem;-webkit-text-size-adjust:100%}
html:has(#changes:not([hidden])){scroll-padding-bottom:17rem}
.more,.aside{color:var(--soft);margin-top:1rem;max-width:44rem}

.page{display:block}
.brand{padding:1rem clamp(1rem,4vw,2rem) .25rem;font-weight:700;letter-spacing:-.01em}
.brand span{display:none}
nav{position:sticky;top:0;z-index:3;background:var(--paper);border-bottom:1px solid var(--line)}
nav ul{display:flex;gap:.25rem;overflow-x:auto;padding:.5rem clamp(.5rem,3vw,1.5rem);scrollbar-width:none}
nav a{display:flex;gap:.4rem;justify-content:space-between;white-space:nowrap;padding:.3rem .6rem;border-radius:.5rem;text-decoration:none;color:var(--ink);font-size:.9rem}
nav a:hover{background:var(--well)}
nav a[aria-current]{background:var(--tint);color:var(--accent);font-weight:600}
nav .count{color:var(--soft);font-weight:400}
.side{display:contents}
.side .overlay{display:none}
main{display:block;min-width:0;padding:0 clamp(1rem,4vw,2.5rem) 3rem}
main>section{margin-top:4rem}
main>section>h3{margin:2.25rem 0 .6rem}
h3+p{margin-bottom:.6rem}
.lede{color:var(--soft);max-width:44rem;margin:.4rem 0 1.25rem}
footer{margin-top:4rem;padding-top:1.25rem;border-top:1px solid var(--line);color:var(--soft);font-size:.875rem}

.top{padding-top:1rem}
.kicker{color:var(--soft);font-size:.875rem;margin-bottom:.35rem}
.summary{font-size:1.15rem;margin-top:.75rem;max-width:46rem}
.meta{display:block;color:var(--soft);font-size:.9rem;margin-top:.35rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(9.5rem,100%),1fr));gap:.75rem;margin:1.75rem 0}
.tiles a{display:block;height:100%;background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:.8rem 1rem .9rem;text-decoration:none;color:inherit}
.tiles a:hover{border-color:var(--accent)}
.tiles strong{display:block;font-size:1.85rem;line-height:1.2;letter-spacing:-.02em}
.label{font-size:.875rem}
.gallery{margin-top:1.75rem;display:grid;grid-template-columns:repeat(auto-fill,minmax(min(8.75rem,30%),1fr));gap:.9rem .75rem;margin-bottom:1.5rem}
.gallery a{display:block;color:inherit;text-decoration:none;font-size:.875rem;line-height:1.6}
.gallery a:hover .name{text-decoration:underline}
.gallery .t{cursor:pointer;margin-bottom:.35rem;border-radius:.6rem}
.gallery .swatch,.chip .swatch{min-width:1.4rem;height:1.4rem;padding:0 .3rem;border-radius:1rem;font-size:.75rem}
.merges>li{background:var(--card);border:1px solid var(--line);border-radius:.9rem;padding:.8rem 1rem;margin-top:.75rem}
.merges .gallery{margin:.6rem 0 .5rem;grid-template-columns:repeat(auto-fill,minmax(min(7rem,30%),1fr))}
.merges span.t{cursor:default}
.merges.beside{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr));gap:.75rem;margin-top:.75rem}
.merges.beside>li{margin-top:0}
.spectrum svg{display:block;width:100%;height:1.6rem;border-radius:.5rem;background:var(--well)}
.spectrum figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1rem;color:var(--soft);font-size:.875rem;margin-top:.4rem}
.top h2.small{margin-bottom:.6rem}
.findings{display:grid;gap:.5rem}
.findings li,.signs li{display:flex;gap:.75rem}
.findings li{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:.6rem .9rem}
.findings .bad{background:var(--bad-tint);border-color:var(--bad)}
.findings a{font-size:.9rem}
.mark{flex:none;width:1.5rem;height:1.5rem;border-radius:50%;display:grid;place-items:center;font-size:.8rem;font-weight:700;background:var(--well)}
.good>.mark{background:var(--good-tint);color:var(--good)}
.look>.mark{background:var(--look-tint);color:var(--look)}
.bad>.mark{background:var(--bad);color:var(--card)}

.toolbar{display:flex;flex-wrap:wrap;gap:.6rem 1.1rem;align-items:end;background:var(--paper);padding:.6rem 0;margin-bottom:.6rem}
.toolbar input[type=search],.toolbar select{height:2.4rem;width:100%}
.toolbar label{flex:1 1 9rem;display:grid;gap:.15rem;font-size:.875rem}
.toolbar .grow{flex:3 1 9rem}
.toolbar>output{color:var(--soft);font-size:.9rem;padding-bottom:.45rem}
.toolbar .overlay{flex:1 1 100%}
.overlay{display:grid;grid-template-columns:1fr auto;gap:.15rem .5rem;font-size:.875rem}
.overlay input{grid-area:2/1/3/-1}
.overlay output{color:var(--soft)}
.class{background:var(--card);border:1px solid var(--line);border-radius:.9rem;padding:1rem;margin-bottom:1rem;content-visibility:auto;contain-intrinsic-size:auto 44rem;scroll-margin-top:5rem}
.class>header{display:flex;flex-wrap:wrap;gap:.6rem .85rem;align-items:center}
.class>header>div{flex:1 1 12rem;min-width:0}
.class h3{overflow-wrap:anywhere}
.swatch{flex:none;display:inline-grid;place-items:center;min-width:2.4rem;height:2.4rem;padding:0 .4rem;border-radius:.6rem;background:var(--c);color:var(--i);font-weight:700;box-shadow:inset 0 0 0 1px #8888}
.badge{font-size:.75rem;font-weight:600;border:1px solid var(--soft);color:var(--soft);border-radius:1rem;padding:.05rem .5rem;vertical-align:middle}
.gauges{display:flex;gap:1.1rem}
.gauges div{width:6rem}
.gauges dt{font-size:.8rem;color:var(--soft)}
.gauges dd{font-weight:600}
.bar{display:block;width:100%;height:.3rem;border-radius:.15rem;background:var(--well);fill:var(--bar);margin-top:.15rem}
.sheet{display:grid;gap:1rem;margin-top:1rem}
.sheet figcaption{font-size:.875rem;font-weight:600;margin-bottom:.35rem}
.sheet figcaption small{font-weight:400;color:var(--soft);font-size:.8125rem}
.sheet ul{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:.5rem}
.sheet li small{display:block;font-size:.8125rem;color:var(--soft);line-height:1.7}
.t{position:relative;display:block;width:100%;aspect-ratio:var(--tile,4/3);padding:0;border:0;border-radius:.4rem;overflow:hidden;background:var(--well);cursor:zoom-in;font-size:.75rem;color:var(--soft)}
.t img{position:absolute;inset:0;width:100%;height:100%;object-fit:contain}
.t img+img{opacity:var(--overlay)}
.rename{display:flex;flex-wrap:wrap;gap:.5rem .75rem;align-items:center;margin-top:.9rem;padding-top:.8rem;border-top:1px solid var(--line);font-size:.875rem}
.rename label{display:flex;gap:.4rem;align-items:center}
.rename input[type=text]{width:9.5rem}
.rename code{flex:1 1 12rem;color:var(--soft);overflow-wrap:anywhere;min-width:0}
#changes{position:sticky;bottom:.5rem;z-index:2;background:var(--card);border:1px solid var(--accent);border-radius:.9rem;padding:.8rem 1rem;box-shadow:0 .5rem 2rem #0004}
#changes output{font-weight:600}
#changes pre{max-height:9rem;overflow:auto;background:var(--well);border-radius:.5rem;padding:.6rem .8rem;margin:.5rem 0}

.estimate{max-width:52rem}
.estimate strong{font-size:1.15rem}
.estimate .needs-js{margin-left:.25rem;white-space:nowrap}
.estimate>.under{display:block;margin-top:.25rem}
.review{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,22rem),1fr));gap:1rem;margin-top:1.25rem}
.review>li{display:flex;gap:.9rem;background:var(--card);border:1px solid var(--line);border-radius:.9rem;padding:.8rem;content-visibility:auto;contain-intrinsic-size:auto 9rem}
.review .t{flex:none;width:8.5rem;align-self:start}
.review>li>div{min-width:0;display:grid;gap:.35rem;align-content:start;font-size:.9rem}
.review p .under{white-space:nowrap}
.review .file{font-weight:600}
.reasons li{position:relative;padding-left:.9rem;color:var(--soft)}
.reasons li::before{content:"–";position:absolute;left:0}
.chip{display:inline-flex;gap:.35rem;align-items:center;color:inherit;text-decoration:none;border:1px solid var(--line);border-radius:1rem;padding:.05rem .6rem .05rem .15rem;margin:0 .15rem .15rem 0;font-size:.8125rem}
a.chip:hover{border-color:var(--accent)}

.split{display:grid;gap:1.75rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr))}
.chart figcaption{font-size:.9rem;margin-top:.6rem}
.plot{position:relative;background:var(--card);border:1px solid var(--line);border-radius:.75rem .75rem 0 0;padding-top:.75rem;overflow:hidden}
.plot svg{display:block;width:100%;height:12rem}
.below{fill:var(--rest)}
.above{fill:var(--bar)}
.line polyline{fill:none;stroke:var(--bar);stroke-width:2.5;vector-effect:non-scaling-stroke}
.plot i{position:absolute;top:0;bottom:0;border-left:2px solid var(--ink)}
.plot i.otsu{border-left-style:dotted}
.axis{display:flex;justify-content:space-between;font-size:.8125rem;color:var(--soft);margin-top:.25rem}
.key{display:inline-flex;gap:.4rem;align-items:center;margin-right:1rem}
.key::before{content:"";width:.8rem;height:.8rem;border-radius:.2rem;background:var(--rest)}
.key.above::before{background:var(--bar)}
.verdict{border-left:4px solid var(--line);background:var(--card);border-radius:.25rem .75rem .75rem .25rem;padding:.7rem 1rem;margin-bottom:1.1rem}
.verdict.good{border-color:var(--good);background:var(--good-tint)}
.verdict.look{border-color:var(--look);background:var(--look-tint)}
.verdict.bad{border-color:var(--bad);background:var(--bad-tint)}
.signs{display:grid;gap:1rem}
.signs li>div{flex:1}

.scroll{margin-top:.75rem;overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:.75rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.5rem .9rem;border-top:1px solid var(--line);vertical-align:top;min-width:6.5rem}
thead th{border-top:0;color:var(--soft);font-weight:600;vertical-align:bottom;position:sticky;top:0;background:var(--card)}
tbody th{font-weight:500}
.ours th,.ours td{font-weight:700;background:var(--tint)}
.compare tr:not(.ours) .bar{fill:var(--rest)}
.sortable td:first-child,.sortable th:first-child{min-width:0}
.scroll:has(.sortable){max-height:32rem;overflow-y:auto}
.sort{border:0;background:none;padding:0;font-weight:600;color:inherit;text-align:left}
.sort::after{content:" ↕";color:var(--soft)}
[aria-sort=descending] .sort::after{content:" ↓"}
[aria-sort=ascending] .sort::after{content:" ↑"}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,12.5rem),1fr));gap:.75rem}
.figures li{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:.7rem 1rem}
.figures strong{display:block;font-size:1.4rem;line-height:1.35}
.figures .under{display:block;line-height:1.4}

.equation{display:flex;flex-wrap:wrap;gap:.6rem 0;margin-bottom:1.1rem}
.equation li{flex:1 1 7.5rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:.7rem 1rem;margin-right:2rem;position:relative}
.equation li:not(:last-child)::after{content:"+";position:absolute;right:-1.35rem;top:calc(50% - .8em);font-size:1.1rem;color:var(--soft)}
.equation .total::after{content:"="!important}
.equation li:last-child{margin-right:0}
.equation strong{display:block;font-size:1.6rem;line-height:1.25}
.equation small{display:block;color:var(--soft);line-height:1.35}
.listing{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:.7rem 1rem;margin-bottom:.75rem}
.listing summary{cursor:pointer;font-weight:600}
.listing p{margin:.6rem 0}
.rows{margin-top:.4rem;max-height:26rem;overflow-y:auto}
.rows li{padding:.35rem 0;border-top:1px solid var(--line);font-size:.9rem}
.rows li:first-child{border-top:0}
.why{color:var(--soft);margin-left:.35rem}

.pairs{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,25rem),1fr));gap:0 2rem}
.pairs.wide{grid-template-columns:1fr}
.pairs div{display:flex;gap:1rem;padding:.45rem 0;border-top:1px solid var(--line);font-size:.9rem}
.pairs dt{flex:0 0 8.5rem;color:var(--soft);overflow-wrap:anywhere}
.pairs dd{flex:1;min-width:0;overflow-wrap:anywhere}
.command,.snippet pre{background:var(--well);border-radius:.6rem;padding:.7rem .9rem}
.command{display:flex;gap:.75rem;align-items:center;margin-top:.6rem}
.command pre{flex:1;min-width:0}
.snippet h4{margin:1rem 0 .35rem}
#model>ul{list-style:disc;padding-left:1.2rem}

dialog{width:min(64rem,94vw);max-height:96vh;border:1px solid var(--line);border-radius:1rem;background:var(--card);color:var(--ink);padding:1rem 1.25rem 1.25rem}
dialog::backdrop{background:#000b}
dialog header{display:flex;gap:1rem;align-items:start;justify-content:space-between}
dialog h2{font-size:1.05rem;overflow-wrap:anywhere;min-width:0;letter-spacing:0}
.stage{position:relative;height:min(64vh,44rem,80vw);margin:.75rem 0;background:var(--well);border-radius:.5rem;overflow:hidden}
.stage img{position:absolute;inset:0;width:100%;height:100%;object-fit:contain}
#view-labels{opacity:var(--overlay)}
.controls button{flex:none}
#view-facts{color:var(--soft);font-size:.9rem;min-height:1.5em}
.controls{display:flex;flex-wrap:wrap;gap:.75rem;align-items:end;justify-content:space-between;margin-top:.75rem}
.controls .overlay{flex:1 1 12rem;order:-1;min-width:min(100%,12rem)}

@media (max-width:40rem){th,td{padding:.45rem .5rem;min-width:4.7rem;font-size:.8125rem}#changes pre{max-height:5.5rem}.equation li{flex:1 1 100%;margin:0;display:grid;grid-template-columns:5.5rem 1fr;column-gap:.75rem;align-items:baseline}.equation li:not(:last-child)::after{right:.9rem;top:.7rem}.equation small{grid-column:2}.equation strong{font-size:1.3rem}
.controls .overlay{flex-basis:100%}.pairs dt{flex-basis:6.5rem}.gauges{width:100%}.gauges div{flex:1}}
@media (min-width:46rem){.sheet{grid-template-columns:repeat(3,minmax(0,1fr));gap:1.25rem}.class{contain-intrinsic-size:auto 17.5rem;padding:1.1rem 1.25rem}.toolbar{position:sticky;top:3.1rem;z-index:2}}
@media (min-width:68rem){.page{display:grid;grid-template-columns:15rem minmax(0,1fr);max-width:96rem;margin:0 auto}
.side{display:block;position:sticky;top:0;height:100vh;overflow-y:auto;padding:1.75rem 1rem 1.5rem 1.5rem;border-right:1px solid var(--line)}
.brand{padding:0 .6rem 1.25rem}.brand span{display:block;font-weight:400;color:var(--soft);font-size:.875rem}
nav{position:static;border:0}nav ul{display:block;padding:0}nav a{padding:.4rem .6rem}
.side .overlay{display:grid;margin:2rem .6rem 0}.toolbar .overlay{display:none}.toolbar{top:0}
html{scroll-padding-top:1rem}.class{scroll-margin-top:5.5rem}.top{padding-top:2rem}}
@media (prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}.tiles a,html:has(#changes:not([hidden])){scroll-padding-bottom:17rem}
.copy,button.plain{transition:border-color .15s,color .15s}}
@media print{@page{margin:14mm}:root{--paper:#fff}html{font-size:80%}.side,.toolbar,.rename,#changes,.copy,.skip,.estimate .needs-js,.listing .needs-js{display:none!important}
.page{display:block}main{padding:0}main>section{margin-top:2rem}.class,.review>li{content-visibility:visible;break-inside:avoid}.sheet{grid-template-columns:repeat(3,minmax(0,1fr))}
.findings li,.tiles li,.verdict,.figures li,.equation li,tr{break-inside:avoid}h2,h3{break-after:avoid}.scroll,.rows,.scroll:has(.sortable){max-height:none;overflow:visible}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}pre{white-space:pre-wrap;overflow-wrap:anywhere}a{color:inherit}}
`;

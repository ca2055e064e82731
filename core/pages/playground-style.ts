/** The playground's own style sheet: picture and classes side by side on a desk, one below the other on a phone. */
import { pageStyle } from './page-style.ts';

/** Base64 of the style sheet's SHA-256, for the page's policy. A test holds the two together. */
export const playgroundStyleSha256 = 'tr2QxA9sGLxGQJAIPy6KxJbRFZXAYGfeasIGWinEb0I=';

export const playgroundStyle = `${pageStyle}html{-webkit-text-size-adjust:100%}
body{min-height:100vh;min-height:100dvh;display:flex;flex-direction:column}
.bar{display:flex;flex-wrap:wrap;gap:.5rem 1.25rem;align-items:center;justify-content:space-between;padding:.75rem clamp(1rem,4vw,2rem);border-bottom:1px solid var(--line)}
.brand{font-weight:700;letter-spacing:-.01em}
.brand span{color:var(--soft);font-weight:400}
.model{display:flex;flex-wrap:wrap;gap:.35rem .75rem;align-items:center;font-size:.9rem;min-width:0}
.model label{display:flex;gap:.5rem;align-items:center;min-width:0}
.model p{color:var(--soft);overflow-wrap:anywhere}
main{flex:1;width:100%;max-width:86rem;margin:0 auto;padding:clamp(1.25rem,3vw,2.5rem) clamp(1rem,4vw,2rem) 3rem;display:grid;grid-template-columns:minmax(0,1fr);gap:1.25rem;align-content:start}
footer{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;padding:1rem clamp(1rem,4vw,2rem);border-top:1px solid var(--line);color:var(--soft);font-size:.875rem}
.lede{color:var(--soft);max-width:44rem;margin-top:.5rem;font-size:1.05rem}
.intro h1{font-size:clamp(1.8rem,4.5vw,2.6rem)}

.button{display:inline-flex;align-items:center;justify-content:center;gap:.5rem;min-height:2.75rem;padding:.45rem 1.1rem;border:1px solid var(--line);border-radius:.6rem;background:var(--card);color:inherit;font-size:.95rem;font-weight:600;line-height:1.3;text-align:center;cursor:pointer}
.button:hover{border-color:var(--accent);color:var(--accent)}
.button.first{background:var(--accent);border-color:var(--accent);color:var(--card)}
.button.first:hover{filter:brightness(1.1);color:var(--card)}
.button:disabled{opacity:.55;cursor:default}
input:focus-visible+.button{outline:3px solid var(--accent);outline-offset:2px}
.buttons{display:flex;flex-wrap:wrap;gap:.6rem}

.pick{display:grid;justify-items:center;gap:.4rem;text-align:center;border:2px dashed var(--rest);border-radius:1.1rem;background:var(--card);align-content:center;min-height:min(58vh,34rem);padding:2rem 1rem;transition:border-color .15s,background .15s}
.pick svg{width:3.75rem;height:3.75rem;margin-bottom:.5rem;stroke:var(--accent);fill:none;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}
.pick h2{font-size:1.3rem}
.pick .buttons{justify-content:center;margin-top:1rem}
.pick kbd{font:inherit;border:1px solid var(--line);border-bottom-width:2px;border-radius:.35rem;padding:0 .35rem;background:var(--paper)}
.pick .buttons>div:not([class]){display:contents}
.camera,.touch,.again,main:not([data-state=empty]) .first-time{display:none}
main:not([data-state=empty]) .again{display:inline}
@media (any-pointer:coarse){.camera{display:contents}}
@media (hover:none){.touch{display:inline}.mouse{display:none}.pick .buttons{width:100%;max-width:26rem}.pick .button{flex:1 1 9rem;padding-inline:.6rem;white-space:nowrap}}
.dragging .pick{border-color:var(--accent);border-style:solid;background:var(--tint)}
main:not([data-state=empty]) :is(.intro,.pick svg,.pick .under){display:none}
main:not([data-state=empty]) .pick{display:flex;flex-wrap:wrap;align-items:center;justify-content:space-between;gap:.6rem 1rem;text-align:left;padding:.6rem .75rem .6rem 1rem;border-width:1px;border-radius:.9rem;min-height:0}
main:not([data-state=empty]) .pick h2{font-size:.95rem;font-weight:500;letter-spacing:0;color:var(--soft)}
main:not([data-state=empty]) .pick .buttons{margin:0}
main:not([data-state=empty]) .pick .button{min-height:2.5rem;background:var(--card);border-color:var(--line);color:inherit}
main[data-state=empty] .work{display:none}

.problem{display:grid;gap:.6rem;border:1px solid var(--bad);border-left-width:5px;background:var(--bad-tint);border-radius:.75rem;padding:.9rem 1.1rem}
.problem h2{font-size:1.1rem;letter-spacing:0;overflow-wrap:anywhere}
.problem p,.problem li{overflow-wrap:anywhere;max-width:60rem}
.problem ul{list-style:disc;padding-left:1.2rem}
.problem .under{color:inherit}
.problem form{display:flex;flex-wrap:wrap;gap:.6rem;align-items:end}
.problem form label{display:grid;gap:.15rem;font-size:.875rem;flex:0 1 22rem}
input[type=password]{background:var(--card);border:1px solid var(--soft);border-radius:.5rem;padding:.35rem .6rem;min-height:2.75rem;max-width:100%;min-width:0}

.work{display:grid;grid-template-columns:minmax(0,1fr);gap:1.25rem 1.75rem;align-items:start}
.picture{min-width:0}
.picture figcaption{display:flex;flex-wrap:wrap;gap:0 .75rem;justify-content:space-between;font-size:.9rem;margin-bottom:.5rem}
.frame{position:relative;display:grid;justify-items:center;background:var(--well);border-radius:.9rem;overflow:hidden}
.stage{position:relative;width:min(100%,calc(68vh*var(--ratio,1.333)));aspect-ratio:var(--ratio,1.333);cursor:crosshair;touch-action:pan-y pinch-zoom;-webkit-user-select:none;user-select:none}
.stage:focus-visible{outline:3px solid var(--accent);outline-offset:-3px;border-radius:0}
.stage img,.stage canvas{position:absolute;inset:0;width:100%;height:100%}
.stage img{object-fit:fill}
.stage canvas{opacity:var(--overlay);image-rendering:pixelated;transition:opacity .15s}
.cross{position:absolute;width:1.5rem;height:1.5rem;margin:-.75rem 0 0 -.75rem;border:2px solid #fff;border-radius:50%;box-shadow:0 0 0 2px #000,inset 0 0 0 2px #000;pointer-events:none}
.tip{position:absolute;z-index:1;max-width:min(22rem,94%);width:max-content;padding:.35rem .65rem;border-radius:.5rem;background:var(--ink);color:var(--paper);font-size:.875rem;line-height:1.35;pointer-events:none;overflow-wrap:anywhere;box-shadow:0 .25rem 1rem #0005}
.tip strong{display:block}
.busy{position:absolute;inset:0;display:grid;place-content:center;justify-items:center;gap:.75rem;background:#0008}
.busy p{background:var(--card);border-radius:.6rem;padding:.5rem 1rem;display:flex;gap:.75rem;align-items:center;font-weight:600}
.spinner{width:1.25rem;height:1.25rem;border:3px solid var(--line);border-top-color:var(--accent);border-radius:50%;animation:turn 1s linear infinite}
@keyframes turn{to{transform:rotate(1turn)}}
@media (prefers-reduced-motion:reduce){.spinner{animation-duration:4s}.stage canvas,.pick{transition:none}}
.under-picture{display:grid;grid-template-columns:minmax(0,1fr);gap:.5rem 2rem;align-items:center;margin-top:.75rem}
.readout{min-height:1.5em;font-size:.95rem}
.overlay{display:grid;grid-template-columns:1fr auto;gap:.15rem .5rem;font-size:.875rem}
.overlay input{grid-area:2/1/3/-1;min-height:1.75rem}
.overlay output{color:var(--soft)}

.panel{display:grid;grid-template-columns:minmax(0,1fr);gap:1rem;min-width:0}
.panel h3{font-size:1rem}
.panel h2{font-size:1.15rem;letter-spacing:0}
.panel h2+p{margin-top:.15rem}
.spectrum{display:block;width:100%;height:1.1rem;border-radius:.4rem;background:var(--well)}
.tools{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center}
.tools input{flex:1 1 8rem;min-height:2.25rem}
.tools .plain{min-height:2.25rem}
.legend{display:grid;gap:.15rem;max-height:min(30rem,50vh);overflow-y:auto;margin:0 -.5rem;padding:.2rem .5rem}
.legend label{display:grid;grid-template-columns:auto auto minmax(0,1fr) auto;gap:0 .65rem;align-items:center;padding:.4rem .5rem;margin:0 -.5rem;border-radius:.6rem;cursor:pointer;min-height:2.75rem}
.legend label:hover,.legend .at label{background:var(--well)}
.legend input:not(:checked)~.name{text-decoration:line-through;color:var(--soft)}
.legend input:not(:checked)~.swatch{opacity:.35}
.legend .swatch{display:inline-grid;place-items:center;min-width:2.25rem;height:1.75rem;padding:0 .3rem;border-radius:.5rem;background:var(--c);color:var(--i);font-size:.8rem;font-weight:700;box-shadow:inset 0 0 0 1px #8888}
.legend .name{line-height:1.25}
.legend .share{font-weight:600;text-align:right}
.legend small{grid-column:3/-1;color:var(--soft);font-size:.8125rem;line-height:1.3}
.downloads{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:.5rem;margin-top:.5rem}
.downloads .button{flex-direction:column;gap:0;padding:.4rem .5rem;font-size:.875rem}
.downloads small{color:var(--soft);font-weight:400;font-size:.8125rem}
.rest{color:var(--soft);font-size:.875rem}
.field{display:flex;gap:.75rem;align-items:center;justify-content:space-between;font-size:.9rem}
.panel details{border-top:1px solid var(--line);padding-top:.75rem}
.panel summary{cursor:pointer;font-weight:600}
.panel details[open] summary{margin-bottom:.6rem}
.panel pre{background:var(--well);border-radius:.6rem;padding:.7rem .9rem;white-space:pre-wrap;overflow-wrap:anywhere;margin-bottom:.5rem}
.notes{list-style:disc;padding-left:1.2rem;font-size:.875rem;color:var(--look)}

@media (min-width:46rem){.under-picture{grid-template-columns:minmax(0,1fr) 14rem}}
@media (min-width:60rem){.work{grid-template-columns:minmax(0,1fr) 20rem}.panel{position:sticky;top:1rem}}
`;

/** What every page looks like: colours in light and dark, type, buttons, fields, focus, hidden texts. */
export const pageStyle = `
:root{color-scheme:light dark;--paper:#f6f6f3;--card:#fff;--well:#e9e9e4;--ink:#17191c;--soft:#555b64;--line:#dcddd8;--accent:#1d58b3;--tint:#e9f0fb;
--good:#176b38;--good-tint:#e6f3ea;--bad:#a8201a;--bad-tint:#fbeae8;--look:#7a4f00;--look-tint:#fbf1dc;--bar:#3b78d8;--rest:#b9bcc2;--overlay:.6;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
@media (prefers-color-scheme:dark){:root{--paper:#101214;--card:#191c20;--well:#24282d;--ink:#e8eaec;--soft:#a6adb7;--line:#2d3238;--accent:#8db8ff;--tint:#1b2636;
--good:#74d394;--good-tint:#14261b;--bad:#ff9087;--bad-tint:#331a18;--look:#f0c35b;--look-tint:#2c2413;--bar:#6ea2f5;--rest:#6b737d}}
*,*::before,*::after{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Liberation Sans",Arial,sans-serif;font-variant-numeric:tabular-nums}
h1,h2,h3,h4,p,ul,ol,dl,dd,figure,pre{margin:0;padding:0}
ul,ol{list-style:none}
h1{font-size:clamp(1.9rem,5vw,2.9rem);line-height:1.1;letter-spacing:-.025em;overflow-wrap:anywhere}
h2{font-size:1.65rem;line-height:1.2;letter-spacing:-.015em}
h2.small{font-size:1.05rem;letter-spacing:0}
h3{font-size:1.1rem;line-height:1.35}
h4{font-size:.9rem}
a{color:var(--accent);text-underline-offset:.15em}
code,pre{font-family:var(--mono);font-size:.875em}
pre code{font-size:inherit}
pre{white-space:pre;overflow-x:auto;tab-size:2}
button,input,select{font:inherit;color:inherit}
button{cursor:pointer}
.copy,button.plain{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.3rem .75rem;font-size:.875rem;line-height:1.4}
.copy:hover,button.plain:hover{border-color:var(--accent);color:var(--accent)}
input[type=search],input[type=text],input[type=number],select{background:var(--card);border:1px solid var(--soft);border-radius:.5rem;padding:.35rem .6rem;max-width:100%;min-width:0}
::placeholder{color:var(--soft);opacity:1}
input[type=number]{width:5.5rem}
input[type=range]{accent-color:var(--accent);width:100%;margin:0}
input[type=checkbox]{accent-color:var(--accent);width:1.05rem;height:1.05rem;margin:0}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:.25rem}
[hidden]{display:none!important}
html:not(.js) .needs-js{display:none!important}
.vh{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip{position:absolute;left:-999rem}
.skip:focus{left:1rem;top:1rem;z-index:9;background:var(--card);padding:.5rem 1rem;border-radius:.5rem}
.under{color:var(--soft);font-size:.875rem;font-weight:400}
.name,.file{overflow-wrap:anywhere}
.none{color:var(--soft);cursor:help}
`;

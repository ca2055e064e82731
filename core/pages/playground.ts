/** The playground as one HTML page: an image in, the model's pixel labels over it; no framework, nothing loaded from elsewhere. */
import { html, trusted } from './html.ts';
import { overlaySlider } from './overlay-slider.ts';
import { playgroundScript, playgroundScriptSha256 } from './playground-script.ts';
import { playgroundStyle, playgroundStyleSha256 } from './playground-style.ts';

export interface PlaygroundFacts {
  /** Of the program that serves the page. */
  readonly version: string;
}

/**
 * Where the page may reach: the service that it came from, and its own script and style by their hashes. The page carries
 * it; a server sends it as `Content-Security-Policy` as well, with `frame-ancestors`, which only a header can say.
 */
const policy = `default-src 'none'; connect-src 'self'; img-src blob: data:; style-src 'sha256-${playgroundStyleSha256}'; script-src 'sha256-${playgroundScriptSha256}'; base-uri 'none'; form-action 'none'`;

/** The page's policy as the header of its answer. */
export const playgroundPolicy = `${policy}; frame-ancestors 'none'`;

/** The whole page, for `/` beside `/v1/…`: it asks relative to its own address, so a path in front of both is no harm. */
export function playgroundPage({ version }: PlaygroundFacts): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>Segmentation playground · selflabel</title>
<link rel="icon" href="${icon}">
<style>${trusted(playgroundStyle)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the playground</a>
<header class="bar"><p class="brand">selflabel <span>playground</span></p>${modelPicker}</header>
<main id="main" data-state="empty" tabindex="-1">
<noscript><p class="problem">This page needs JavaScript. The service itself does not: see <a href="openapi.json">openapi.json</a>.</p></noscript>
${intro}${pick}
<section id="problem" class="problem" role="alert" hidden></section>
<div class="work">${picture}${panel}</div>
<p id="say" class="vh" role="status"></p>
</main>
<footer><span>selflabel ${version}. Images go to this service and nowhere else.</span> <a href="openapi.json">API description</a></footer>
<script>${trusted(playgroundScript)}</script>
</body>
</html>
`.text;
}

/** Three labelled regions. In the page, so that the browser asks for no favicon.ico. */
const icon = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1d58b3"/><path d="M4 22Q12 14 18 20T28 18V28H4Z" fill="#3cb44b"/><circle cx="21" cy="11" r="5" fill="#ffe119"/></svg>')}`;

const modelPicker = html`<div class="model"><label id="model-label" hidden><span>Model</span><select id="model"></select></label><p id="model-facts"></p></div>`;

const intro = html`<div class="intro"><h1>What is where in this picture?</h1>
<p class="lede">Give the model a photo. It answers with a class for every pixel, which you can look through, switch on and off, and take with you.</p></div>`;

const picture = html`<figure class="picture" aria-labelledby="file-name">
<figcaption><strong id="file-name" class="file"></strong> <span id="file-facts" class="under"></span></figcaption>
<div class="frame"><div id="stage" class="stage" tabindex="0" role="application" aria-roledescription="labelled picture" aria-label="Picture with labels" aria-describedby="stage-help">
<img id="photo" alt=""><canvas id="overlay"></canvas><div id="cross" class="cross" hidden></div><div id="tip" class="tip" aria-hidden="true" hidden></div></div>
<div id="busy" class="busy" hidden><p><span class="spinner"></span><span id="busy-text">Segmenting…</span></p><button id="cancel" class="button">Cancel</button></div></div>
<p id="stage-help" class="vh">Arrow keys move the pointer, with Shift in larger steps; what lies below it is read out.</p>
<div class="under-picture"><p id="readout" class="readout" aria-hidden="true"></p>${overlaySlider}</div>
</figure>`;

const panel = html`<section id="panel" class="panel" aria-labelledby="panel-title" hidden>
<div><h2 id="panel-title">Classes</h2><p id="summary" class="under"></p></div>
<canvas id="spectrum" class="spectrum" width="600" height="1" aria-hidden="true"></canvas>
<div class="tools"><input id="find" type="search" placeholder="Find a class" aria-label="Find a class"><button id="show-all" class="plain">Show all</button><button id="hide-all" class="plain">Hide all</button></div>
<ul id="legend" class="legend" aria-labelledby="panel-title"></ul>
<p id="rest" class="rest"></p>
<ul id="notes" class="notes" hidden></ul>
<div role="group" aria-labelledby="download-title"><h3 id="download-title">Download</h3>
<div class="downloads"><button id="save-png" class="button">Label map <small>PNG</small></button><button id="save-json" class="button">Result <small>JSON</small></button><button id="save-picture" class="button">Picture <small>with labels</small></button></div></div>
<div id="threshold-part" hidden><label class="field"><span>Foreground threshold</span><input id="threshold" type="number" step="any" aria-describedby="threshold-help"></label><p id="threshold-help" class="under">Higher: fewer pixels get a class. Empty: the model’s own.</p></div>
<details><summary>The same from a terminal</summary><pre id="curl" tabindex="0" role="region" aria-label="curl command"></pre><button id="copy-curl" class="plain">Copy</button></details>
</section>`;

/** Where images come in: a place to drop them on, and buttons that open the files or the camera. */
const pick = html`<section class="pick" aria-labelledby="pick-title">
<svg viewBox="0 0 48 48" aria-hidden="true"><rect x="5" y="9" width="38" height="30" rx="5"/><circle cx="17" cy="19" r="3.5"/><path d="M6 34l11-9 8 6 7-8 10 9"/></svg>
<h2 id="pick-title"><span class="first-time"><span class="mouse">Drop an image here</span><span class="touch">Start with an image</span></span><span class="again"><span class="mouse">Drop, paste or choose another image</span><span class="touch">Another image</span></span></h2>
<p class="under mouse">or paste one with <kbd>Ctrl</kbd> <kbd>V</kbd></p>
<div class="buttons"><div><input id="file" class="vh" type="file" accept="image/*"><label for="file" class="button first">Choose an image</label></div>
<div class="camera"><div><input id="camera" class="vh" type="file" accept="image/*" capture="environment"><label for="camera" class="button">Take a photo</label></div></div></div>
</section>
`;

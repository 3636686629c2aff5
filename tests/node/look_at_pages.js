// Opens HTML files in headless Chromium as a reader would, in light and dark, wide and narrow, and
// prints what there is to see: one line of JSON for each view.
//
//   node look_at_pages.js CHROMIUM SCREENSHOTS_DIR FILE.html...
'use strict';

const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { chromium } = require('playwright-core');

const [executablePath, screenshots, ...files] = process.argv.slice(2);

// Chromium must not talk to anybody, and root cannot have a sandbox.
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
  '--disable-background-networking', '--disable-component-update'];
const widths = { wide: 1000, narrow: 390 };
// Pixels of height that are enough of any page.
const PICTURE_HEIGHT_MAX = 5000;

// Runs within the page.
function see() {
  const box = (element) => element.getBoundingClientRect();
  const shown = (element) => box(element).width > 0 && box(element).height > 0;
  const plots = [...document.querySelectorAll('svg[role=img]')].filter(shown);
  // A text must stay inside its drawing, and texts of one drawing must not touch.
  const outside = (plot) => [...plot.querySelectorAll('text')].filter((text) => {
    const [inner, outer] = [box(text), box(plot)];
    return inner.left < outer.left - 1 || inner.right > outer.right + 1
      || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
  });
  const touching = (plot) => {
    const texts = [...plot.querySelectorAll('text')];
    const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    return texts.filter((a, i) => texts.some((b, j) => j > i && meet(box(a), box(b))));
  };
  const words = (texts) => texts.map((text) => text.textContent.trim());
  const style = (element) => getComputedStyle(element);
  const scrolls = (element) => element.closest('.scroll, svg') !== null;
  return {
    background: style(document.body).backgroundColor,
    pageWidth: document.documentElement.scrollWidth,
    pageHeight: document.documentElement.scrollHeight,
    figures: document.querySelectorAll('figure').length,
    overflowing: [...document.querySelectorAll('main *')].filter(shown)
      .filter((element) => !scrolls(element) && box(element).right > innerWidth + 1)
      .map((element) => element.outerHTML.slice(0, 80)),
    plots: plots.map((plot) => ({
      label: plot.getAttribute('aria-label'),
      width: box(plot).width,
      height: box(plot).height,
      shapes: plot.querySelectorAll('polyline, rect').length,
      textColour: style(plot.querySelector('text')).fill,
      lineColours: [...new Set([...plot.querySelectorAll('polyline')].map((line) => style(line).stroke))],
      outside: words(outside(plot)),
      touching: words(touching(plot)),
    })),
  };
}

async function look(browser, file) {
  const page = await browser.newPage();
  const complaints = [];
  const url = pathToFileURL(file).href;
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (request.url() !== url) complaints.push(`asks for ${request.url()}`);
  });
  await page.goto(url, { waitUntil: 'load' });
  const name = path.basename(file, '.html');
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const [shape, width] of Object.entries(widths)) {
      await page.setViewportSize({ width, height: 844 });
      const seen = await page.evaluate(see);
      const picture = path.join(screenshots, `${name}-${colorScheme}-${shape}.png`);
      const clip = { x: 0, y: 0, width, height: Math.min(seen.pageHeight, PICTURE_HEIGHT_MAX) };
      await page.screenshot({ path: picture, fullPage: true, clip });
      console.log(JSON.stringify({ name, scheme: colorScheme, shape, complaints, ...seen }));
    }
  }
  await page.close();
}

async function main() {
  const browser = await chromium.launch({ executablePath, args, headless: true });
  try {
    for (const file of files) await look(browser, file);
  } finally {
    await browser.close();
  }
}

// Nothing here takes so long, unless the browser hangs; it ends with this process.
setTimeout(() => {
  console.error('the browser took too long');
  process.exit(1);
}, 300_000).unref();

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

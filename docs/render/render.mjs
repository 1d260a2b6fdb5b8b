// Renders Markdown reports to PNG the way GitHub shows them: GFM, its style
// sheet in light and dark, Mermaid, and pages of several widths.
//
//   npm ci && npm run render -- out ../../internal/report/testdata/*.md
//
// WIDTHS and SCHEMES are lists with commas, OPEN unfolds what is folded, and
// CHROMIUM names another browser than Debian's.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join, resolve } from "node:path";
import markdownIt from "markdown-it";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const asset = (name) => resolve(require.resolve("mermaid/package.json"), "../..", name);
const [out, ...files] = process.argv.slice(2);
const widths = (process.env.WIDTHS ?? "1012,780,390").split(",").map(Number);
const schemes = (process.env.SCHEMES ?? "light,dark").split(",");

const markdown = markdownIt({ html: true, linkify: true });
const fence = markdown.renderer.rules.fence;
markdown.renderer.rules.fence = (tokens, index, ...rest) =>
  tokens[index].info.trim() === "mermaid"
    ? `<pre class="mermaid">${markdown.utils.escapeHtml(tokens[index].content)}</pre>`
    : fence(tokens, index, ...rest);

// Alerts are GitHub's own: https://github.com/orgs/community/discussions/16925
const alerts = (html) =>
  html.replace(/<blockquote>\s*<p>\[!(\w+)\]\s*/g, (_, kind) =>
    `<blockquote class="markdown-alert markdown-alert-${kind.toLowerCase()}"><p class="markdown-alert-title">${kind[0]}${kind.slice(1).toLowerCase()}</p><p>`);

// GitHub's page decides colours by media query; a picture is of one scheme. A
// comment's column is narrower than a summary's page, and its letters smaller.
const page = (body, scheme) => `<!doctype html><html><head><meta charset="utf-8">
<style>${readFileSync(asset(`github-markdown-css/github-markdown-${scheme}.css`))}</style>
<style>body { margin: 0; background: ${scheme === "dark" ? "#0d1117" : "#ffffff"} }
.markdown-body { padding: 16px; font-family: "Liberation Sans", sans-serif, "Noto Color Emoji" }
@media (max-width: 900px) { .markdown-body { font-size: 14px } }
.markdown-body pre.mermaid { background: none; text-align: center; padding: 0 }</style></head>
<body><article class="markdown-body">${body}</article></body></html>`;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"],
});
try {
  mkdirSync(out, { recursive: true });
  for (const file of files) {
    const body = alerts(markdown.render(readFileSync(file, "utf8")));
    for (const scheme of schemes) {
      const tab = await browser.newPage({ viewport: { width: widths[0], height: 800 } });
      await tab.setContent(page(process.env.OPEN ? body.replaceAll("<details>", "<details open>") : body, scheme));
      await tab.addScriptTag({ path: asset("mermaid/dist/mermaid.min.js") });
      await tab.evaluate((theme) => {
        mermaid.initialize({ startOnLoad: false, theme });
        return mermaid.run();
      }, scheme === "dark" ? "dark" : "default");
      for (const width of widths) {
        await tab.setViewportSize({ width, height: 800 });
        const path = join(resolve(out), `${basename(file, ".md")}-${scheme}-${width}.png`);
        await tab.locator("article").screenshot({ path });
        console.log(path);
      }
      await tab.close();
    }
  }
} finally {
  await browser.close();
}

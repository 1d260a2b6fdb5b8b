// Renders Markdown reports to PNG the way GitHub shows them: GFM, its style
// sheet in light and dark, Mermaid, and a wide and a narrow page.
//
//   npm ci && npm run render -- out ../../internal/report/testdata/*.md
//
// CHROMIUM names another browser than Debian's.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import markdownIt from "markdown-it";

const require = createRequire(import.meta.url);
const asset = (name) => resolve(require.resolve("mermaid/package.json"), "../..", name);
const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";
const [out, ...files] = process.argv.slice(2);
const widths = (process.env.WIDTHS ?? "1012,420").split(",").map(Number);
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

// GitHub's page decides colours by media query; a picture is of one scheme.
const page = (body, scheme) => `<!doctype html><html><head><meta charset="utf-8">
<style>${readFileSync(asset(`github-markdown-css/github-markdown-${scheme}.css`))}</style>
<style>body { margin: 0; background: ${scheme === "dark" ? "#0d1117" : "#ffffff"} }
.markdown-body { padding: 16px; font-family: "Liberation Sans", sans-serif, "Noto Color Emoji" }
.markdown-body pre.mermaid { background: none; text-align: center; padding: 0 }</style></head>
<body><article class="markdown-body">${body}</article>
<script src="file://${asset("mermaid/dist/mermaid.min.js")}"></script>
<script>
  mermaid.initialize({ startOnLoad: false, theme: "${scheme === "dark" ? "dark" : "default"}" });
  mermaid.run().finally(() => { document.title = String(Math.ceil(document.querySelector("article").getBoundingClientRect().height)); });
</script></body></html>`;

const run = (...rest) => {
  const profile = mkdtempSync(join(tmpdir(), "render-"));
  try {
    return execFileSync(chromium, ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
      "--allow-file-access-from-files", "--virtual-time-budget=15000", `--user-data-dir=${profile}`, ...rest],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], maxBuffer: 1 << 26 });
  } finally {
    rmSync(profile, { recursive: true, force: true });
  }
};

mkdirSync(out, { recursive: true });
for (const file of files) {
  const body = alerts(markdown.render(readFileSync(file, "utf8")));
  for (const scheme of schemes) {
    for (const width of widths) {
      const name = join(resolve(out), `${basename(file, ".md")}-${scheme}-${width}`);
      writeFileSync(`${name}.html`, page(process.env.OPEN ? body.replaceAll("<details>", "<details open>") : body, scheme));
      const height = run(`--window-size=${width},800`, "--dump-dom", `file://${name}.html`).match(/<title>(\d+)<\/title>/)?.[1] ?? 1600;
      run(`--window-size=${width},${height}`, `--screenshot=${name}.png`, `file://${name}.html`);
      rmSync(`${name}.html`);
      console.log(`${name}.png`);
    }
  }
}

// Makes testdata/github from GitHub's own descriptions, and test/forge/testdata/gitea from
// Gitea's, in an empty folder:
//
//	npm pack @octokit/openapi@23.0.2 @octokit/webhooks-examples@7.6.1
//	mkdir openapi examples
//	tar xzf octokit-openapi-23.0.2.tgz -C openapi --strip-components 1
//	tar xzf octokit-webhooks-examples-7.6.1.tgz -C examples --strip-components 1
//	go mod init x && go mod download code.gitea.io/gitea@v1.27.3
//	node .../internal/comment/testdata/slice.mjs openapi examples "$(go env GOMODCACHE)/code.gitea.io/gitea@v1.27.3"
//
// What is kept: the operations that the client calls, with everything that they refer
// to, and of each event the parts that say where it happened.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const [openapi, examples, gitea] = process.argv.slice(2)
const here = dirname(fileURLToPath(import.meta.url))
const write = (name, data) => writeFileSync(join(here, name), JSON.stringify(data, null, 1) + '\n')

const ofGitHub = {
  '/repos/{owner}/{repo}/issues/{issue_number}/comments': ['get', 'post'],
  '/repos/{owner}/{repo}/issues/comments/{comment_id}': ['patch'],
  '/repos/{owner}/{repo}/commits/{commit_sha}/pulls': ['get'],
  '/user': ['get'],
}
const ofGitea = {
  '/repos/{owner}/{repo}/issues/{index}/comments': ['get', 'post'],
  '/repos/{owner}/{repo}/issues/comments/{id}': ['patch'],
  '/repos/{owner}/{repo}/commits/{sha}/pull': ['get'],
  '/user': ['get'],
}
const prose = new Set(['description', 'summary', 'externalDocs', 'tags', 'example', 'headers'])

// bare is a description without its prose. Within "properties" every name is data.
function bare(node, names = false) {
  if (Array.isArray(node)) return node.map((each) => bare(each))
  if (node === null || typeof node !== 'object') return node
  return Object.fromEntries(Object.entries(node)
    .filter(([key]) => names || !(prose.has(key) || key.startsWith('x-')))
    .map(([key, value]) => [key, key === 'value' && !names ? value : bare(value, key === 'properties' && !names)]))
}

function slice(file, operations, version) {
  const whole = JSON.parse(readFileSync(file, 'utf8'))
  const kept = { openapi: whole.openapi, info: { title: whole.info.title, version: version ?? whole.info.version, license: whole.info.license }, servers: [{ url: '/' }], paths: {}, components: {} }
  const follow = (node) => {
    if (node === null || typeof node !== 'object') return
    for (const [key, value] of Object.entries(node)) {
      if (key !== '$ref' || typeof value !== 'string') {
        follow(value)
        continue
      }
      const [kind, name] = value.split('/').slice(2)
      kept.components[kind] ??= {}
      if (name in kept.components[kind]) continue
      kept.components[kind][name] = bare(whole.components[kind][name])
      if (kind === 'responses') kept.components[kind][name].description = name
      follow(kept.components[kind][name])
    }
  }
  for (const [path, methods] of Object.entries(operations)) {
    kept.paths[path] = {}
    for (const method of methods) {
      const operation = bare(whole.paths[path][method])
      for (const [status, response] of Object.entries(operation.responses)) if (!response.$ref) response.description = status
      kept.paths[path][method] = operation
      follow(operation)
    }
  }
  return kept
}

for (const name of ['api.github.com.json', 'ghes-3.17.json']) write(join('github', name), slice(join(openapi, 'generated', name), ofGitHub))
write('../../../test/forge/testdata/gitea/api.json', slice(join(gitea, 'templates/swagger/v1_openapi3_json.tmpl'), ofGitea, gitea.split('@v').pop()))

const repo = (r) => r && { id: r.id, full_name: r.full_name }
const side = (s) => s && { ref: s.ref, sha: s.sha, repo: repo(s.repo) }
const pull = (p) => p && { number: p.number, state: p.state, head: side(p.head), base: side(p.base) }
const parts = {
  pull_request: (e) => ({ number: e.number, pull_request: pull(e.pull_request), repository: repo(e.repository) }),
  issue_comment: (e) => ({ issue: { number: e.issue.number, ...('pull_request' in e.issue && { pull_request: e.issue.pull_request }) }, repository: repo(e.repository) }),
  workflow_run: (e) => ({
    repository: repo(e.repository),
    workflow_run: { id: e.workflow_run.id, head_sha: e.workflow_run.head_sha, head_repository: repo(e.workflow_run.head_repository), pull_requests: e.workflow_run.pull_requests.map((p) => ({ number: p.number, base: side(p.base) })) },
  }),
  merge_group: (e) => ({ merge_group: { head_sha: e.merge_group.head_sha, head_ref: e.merge_group.head_ref }, repository: repo(e.repository) }),
  push: (e) => ({ ref: e.ref, after: e.after, repository: repo(e.repository) }),
}
const payloads = JSON.parse(readFileSync(join(examples, 'api.github.com', 'index.json'), 'utf8'))
const seen = {}
for (const { name, examples: all } of payloads) {
  if (name in parts) seen[name] = [...new Map(all.map(parts[name]).map((e) => [JSON.stringify(e), e])).values()]
}
write('github/events.json', seen)

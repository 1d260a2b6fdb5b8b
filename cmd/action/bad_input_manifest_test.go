package main

import "strings"

// manifestRows are files that cannot be read, or hold something else than manifests. No cluster is
// asked before they can be.
func manifestRows() []badInput {
	file := func(name, text string) badInput {
		return badInput{name: "manifests, " + name, run: "run --manifests other.yaml", files: map[string]string{"other.yaml": text}, value: "other.yaml"}
	}
	source := func(name, manifests string) badInput {
		return badInput{name: "manifests, " + name, run: "run", env: map[string]string{"INPUT_MANIFESTS": manifests}}
	}
	with := func(row badInput, name, text string) badInput {
		row.files = map[string]string{name: text}
		return row
	}
	kustomized := func(name, text string) badInput {
		return with(source(name, "base"), "base/kustomization.yaml", text)
	}
	stdin := source("standard input that holds nothing", "-")
	garbage := source("standard input that is no YAML", "-")
	garbage.stdin = "kind: [\n"
	old := func(before, after string) string { return strings.Replace(soundOld, before, after, 1) }
	return []badInput{
		{name: "manifests, none", run: "run", input: "manifests"},
		source("blank", " \n \n"),
		source("no such file", "k8s/lobby.yaml"),
		source("no such directory, and a pattern of nothing", "k8s/\nother/*.yaml"),
		source("a pattern that is none", "k8s/[.yaml"),
		source("a pattern of all below", "**/*.yaml"),
		source("all in one line", "pair.yaml pair.yaml"),
		source("with commas", "pair.yaml,pair.yaml"),
		source("an address", "https://example.com/pair.yaml"),
		source("a file without end", "/dev/zero"),
		source("below a file", "pair.yaml/deployment.yaml"),
		with(source("a directory of no manifests", "k8s"), "k8s/readme.md", "# nothing\n"),
		with(source("a directory of directories", "k8s"), "k8s/base/pair.yaml", soundPair),
		with(source("a file twice, and one with the same objects", "pair.yaml\n./pair.yaml\ncopy.yaml"), "copy.yaml", soundPair),
		stdin, garbage,
		file("a link to nowhere", symlinkTo+"nowhere.yaml"),
		file("a link to itself", symlinkTo+"other.yaml"),
		file("a link to a device", symlinkTo+"/dev/zero"),
		file("a link out, to what is no manifest", symlinkTo+"/proc/version"),
		with(source("a directory with a link to nowhere", "k8s"), "k8s/pair.yaml", symlinkTo+"/nowhere/pair.yaml"),
		file("an empty file", ""),
		file("only comments", "# nothing\n---\n---\n"),
		file("a program", "\x7fELF\x02\x01\x01\x00\xff\xfe"),
		file("an archive", "\x1f\x8b\x08\x00\x00\x00"),
		file("UTF-16", string(utf16Of(soundPair))),
		file("Latin-1", "metadata: {name: caf\xe9}\n"),
		file("a zero byte", "kind: Service\x00\n"),
		file("control characters", "kind: \x1b[31mService\n"),
		file("a text", "hello\n"),
		file("a list", "- kind: Service\n"),
		file("a number", "5\n"),
		file("Markdown", "# Lobby\n\n```yaml\nkind: Service\n```\n"),
		file("a template", "{{- if .Values.enabled }}\nkind: Service\n{{- end }}\n"),
		file("a template's value", old("name: old-nginx", "name: {{ .Values.name }}")),
		file("an expression of a shell", old("image: registry.example.com/old-nginx:1", "image: ${IMAGE:-}")),
		file("an encrypted file", "sops: {mac: x}\nkind: ENC[AES256_GCM]\n"),
		file("marks of a merge", "<<<<<<< HEAD\n"+soundService+"=======\n"+soundService+">>>>>>> main\n"),
		file("tabs", strings.Replace(soundService, "  name: nginx", "\tname: nginx", 1)),
		file("no-break spaces", strings.Replace(soundService, "  name: nginx", "\u00a0\u00a0name: nginx", 1)),
		file("a no-break space behind a key", strings.Replace(soundService, "type: LoadBalancer", "type:\u00a0LoadBalancer", 1)),
		file("a zero width space", strings.Replace(soundService, "name: nginx", "name\u200b: nginx", 1)),
		file("an ideographic space", strings.Replace(soundService, "  ports:", "\u3000ports:", 1)),
		file("a byte order mark in the middle", soundService+"---\n\ufeff"+soundOld),
		file("crooked", strings.Replace(soundService, "  selector:", "   selector:", 1)),
		file("a separator that is indented", soundService+" ---\n"+soundOld),
		file("no separator", soundService+soundOld),
		file("a quote that is not closed", strings.Replace(soundService, "name: nginx", `name: "nginx`, 1)),
		file("a brace that is not closed", `{"apiVersion": "v1", "kind": "Service"`),
		file("a key twice", strings.Replace(soundService, "kind: Service", "kind: Service\nkind: Service", 1)),
		file("a key twice in JSON", `{"apiVersion": "v1", "kind": "Service", "kind": "Service", "metadata": {"name": "a"}}`),
		file("a key twice, far below", old("- containerPort: 80", "- containerPort: 80\n          containerPort: 81")),
		file("a bomb of aliases", aliasBomb()),
		file("an alias of nobody", old("name: old-nginx", "name: *nobody")),
		file("an anchor that holds itself", "a: &a [*a]\n"),
		file("deep", strings.Repeat("[", 20_000)),
		file("deep, and closed", "a: "+strings.Repeat("[", 11_000)+strings.Repeat("]", 11_000)+"\n"),
		file("a tag", "!!python/object:os.system {kind: Service}\n"),
		file("a key that is a list", "? [a, b]\n: c\n"),
		file("garbage behind a sound one", soundPair+"---\nkind Service\n"),
		file("garbage between two", soundService+"---\n}{\n---\n"+soundOld),
		file("an object twice", soundService+"---\n"+soundService),
		kustomized("a kustomization that is empty", ""),
		kustomized("a kustomization of nothing", "resources: [nowhere.yaml]\n"),
		kustomized("a kustomization that is no YAML", "resources: [\n"),
		kustomized("a kustomization with an unknown field", "resource: [pair.yaml]\n"),
		kustomized("a kustomization of an address", "resources: [https://example.com/base]\n"),
		kustomized("a kustomization of a repository", "resources: ['git@example.com:acme/base']\n"),
		kustomized("a kustomization of itself", "resources: ['.']\n"),
		kustomized("a kustomization of what lies outside", "resources: [../pair.yaml]\n"),
		kustomized("a kustomization with a chart", "helmCharts: [{name: lobby, repo: https://example.com}]\n"),
		kustomized("a kustomization with a program", "generators: [generator.yaml]\n"),
	}
}

// objectRows are manifests that can be read, of objects that nobody can roll out.
func objectRows() []badInput {
	file := func(name, text string) badInput {
		return badInput{name: "object, " + name, run: "run --manifests other.yaml", files: map[string]string{"other.yaml": text}, value: "other.yaml"}
	}
	service := func(before, after string) string { return strings.Replace(soundService, before, after, 1) }
	old := func(before, after string) string { return strings.Replace(soundOld, before, after, 1) }
	rows := []badInput{
		file("no apiVersion", "kind: Service\nmetadata: {name: a}\n"),
		file("no kind", "apiVersion: v1\nmetadata: {name: a}\n"),
		file("a kind that is a number", "apiVersion: v1\nkind: 5\nmetadata: {name: a}\n"),
		file("no metadata", "apiVersion: v1\nkind: Service\nspec: {}\n"),
		file("metadata that is a list", "apiVersion: v1\nkind: Service\nmetadata: [name]\n"),
		file("a name that is a number", service("name: nginx", "name: 5")),
		file("a generated name", old("name: old-nginx", "generateName: old-")),
		file("a Service without spec", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"),
		file("a Service whose spec is a text", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: later\n"),
		file("a Deployment without spec", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n"),
		file("a Deployment without template", old("  template:", "  templates:")),
		file("a Deployment without selector", old("  selector:", "  selectors:")),
		file("a Deployment whose pods have no spec", old("    spec:", "    specs:")),
		file("a Deployment of a version to come", old("apps/v1", "apps/v2")),
		file("a Deployment of no group", old("apps/v1", "v1")),
		file("a removed version without labels", strings.NewReplacer("apps/v1", "extensions/v1beta1", "  selector:\n    matchLabels:\n      run: old-nginx\n", "", "      labels:\n        run: old-nginx\n        app: nginx\n", "      name: x\n").Replace(soundOld)),
		file("a label that is a number", old("app: nginx", "app: 5")),
		file("a label that is a truth", old("app: nginx", "app: yes")),
		file("an annotation that is nothing", old("name: old-nginx", "name: old-nginx\n  annotations: {note: }")),
		file("a selector that is a number", service("app: nginx", "app: 5")),
		file("a List of texts", "apiVersion: v1\nkind: List\nitems: [a, b]\n"),
		file("a List of nothing", "apiVersion: v1\nkind: List\nitems: []\n"),
		file("a List without items", "apiVersion: v1\nkind: List\n"),
		file("a DeploymentList of garbage", "apiVersion: apps/v1\nkind: DeploymentList\nitems: [{spec: {}}]\n"),
		file("a List in a List, twice the same", "apiVersion: v1\nkind: List\nitems:\n- kind: List\n  items: ["+flatService+"]\n- "+flatService+"\n"),
	}
	images := func(name, lines string) badInput {
		return badInput{name: "images, " + name, run: "run --manifests pair.yaml", env: map[string]string{"INPUT_IMAGES": lines}, input: "images"}
	}
	return append(rows,
		images("of nobody", "ghcr.io/acme/lobby:1"),
		images("for no container", "old-nginx/sidecar=ghcr.io/acme/lobby:1"),
		images("for no Deployment", "lobby/nginx=ghcr.io/acme/lobby:1"),
		images("one that fits, one that does not", "registry.example.com/old-nginx:2\nnginx=ghcr.io/acme/lobby:1"),
		images("with a comma", "registry.example.com/old-nginx:2,registry.example.com/new-nginx:2"),
		images("with two signs", "old-nginx/nginx=a=b"),
		images("of an address", "https://ghcr.io/acme/lobby:1"),
		images("with a tag too long", "registry.example.com/old-nginx:"+strings.Repeat("t", 129)),
		images("with a digest that is none", "registry.example.com/old-nginx@sha256:12"),
		images("with an expression", "registry.example.com/old-nginx:${{ github.sha }}"),
		images("all of it spaces but a sign", " = "),
	)
}

// flatService is soundService on one line.
const flatService = "{apiVersion: v1, kind: Service, metadata: {name: nginx}, spec: {type: LoadBalancer, selector: {app: nginx}, ports: [{port: 80}]}}"

package main

import (
	"cmp"
	"encoding/base64"
	"strings"
	"unicode/utf16"
)

// kubeconfig is one of a cluster that is there, with other words for its cluster, user and context.
func kubeconfig(cluster, user, context string) string {
	return `apiVersion: v1
kind: Config
current-context: ci
clusters:
- name: lab
  cluster: ` + cmp.Or(cluster, "{server: $SERVER, insecure-skip-tls-verify: true}") + `
contexts:
- name: ci
  context: ` + cmp.Or(context, "{cluster: lab, user: ci, namespace: web}") + `
users:
- name: ci
  user: ` + cmp.Or(user, "{token: THE-SECRET-TOKEN}") + "\n"
}

// kubeconfigRows are clusters that cannot be found or entered by what the inputs say. Most are of
// status, for whom the kubeconfig is all there is.
func kubeconfigRows() []badInput {
	const status = "status --service nginx"
	file := func(name, text string) badInput {
		return badInput{name: "kubeconfig, " + name, run: status + " --kubeconfig $WORK/other.yaml", files: map[string]string{"other.yaml": text}, value: "other.yaml"}
	}
	text := func(name, text string) badInput {
		return badInput{name: "kubeconfig, " + name, run: status, env: map[string]string{"INPUT_KUBECONFIG": text}, input: "kubeconfig"}
	}
	whole := kubeconfig("", "", "")
	rows := []badInput{
		text("a sentence", "the kubeconfig of the cluster"),
		text("a sentence of two lines", "the kubeconfig\nof the cluster"),
		text("a path of nothing", "$WORK/nowhere.yaml"),
		text("a directory", "$WORK"),
		text("base64 of nothing that could be read", base64.StdEncoding.EncodeToString([]byte("THE-SECRET-TOKEN and not a kubeconfig"))),
		text("base64 twice", base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(whole))))),
		text("base64 with a hole", strings.Replace(base64.StdEncoding.EncodeToString([]byte(whole)), "a", "*", 1)),
		text("base64 of UTF-16", base64.StdEncoding.EncodeToString(utf16Of(whole))),
		text("base64 of gzip", base64.StdEncoding.EncodeToString([]byte("\x1f\x8b\x08\x00THE-SECRET-TOKEN"+whole))),
		text("a token instead", "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjF9.THE-SECRET-SIGNATURE-OF-IT"),
		text("an expression that was not filled in", "${{ secrets.KUBECONFIG }}"),
		text("another word for in-cluster", "incluster"),
		text("in-cluster outside of one", "in-cluster"),
		text("YAML of another kind", "apiVersion: v1\nkind: Secret\ndata: {token: THE-SECRET}\n"),
		text("JSON that is cut off", `{"apiVersion": "v1", "users": [{"name": "ci", "user": {"token": "THE-SECRET`),
		text("two documents", "apiVersion: v1\nkind: Config\n---\n"+whole),
		text("a bomb of aliases", "apiVersion: v1\n"+aliasBomb()),
		file("an empty file", ""),
		file("a file of comments", "# nothing yet\n"),
		file("a file that is no text", "\x7fELF\x00\xff"),
		file("a file of another kind", soundOld),
		file("tabs", "apiVersion: v1\nkind: Config\n\tusers: []\n"),
		file("a cluster without server", kubeconfig("{}", "", "")),
		file("a server of another scheme", kubeconfig("{server: ftp://192.0.2.1}", "", "")),
		file("a server that is a path", kubeconfig("{server: /var/run/kube}", "", "")),
		file("a server with a port that is none", kubeconfig(`{server: "https://192.0.2.1:six"}`, "", "")),
		file("an authority that is no base64", kubeconfig("{server: $SERVER, certificate-authority-data: '%%%'}", "", "")),
		file("an authority that is no certificate", kubeconfig("{server: $SERVER, certificate-authority-data: aGVsbG8=}", "", "")),
		file("an authority and none", kubeconfig("{server: $SERVER, certificate-authority-data: aGVsbG8=, insecure-skip-tls-verify: true}", "", "")),
		file("an authority in no file", kubeconfig("{server: $SERVER, certificate-authority: /nowhere/ca.pem}", "", "")),
		file("a proxy that is none", kubeconfig(`{server: $SERVER, proxy-url: "http://ci:THE-SECRET@proxy:port"}`, "", "")),
		file("a proxy of another scheme", kubeconfig(`{server: $SERVER, proxy-url: "ftp://ci:THE-SECRET@proxy"}`, "", "")),
		file("a certificate in no file", kubeconfig("", "{client-certificate: /nowhere/a.pem, client-key: /nowhere/a.key}", "")),
		file("a certificate without key", kubeconfig("", "{client-certificate-data: aGVsbG8=}", "")),
		file("a key that is no pair", kubeconfig("", "{client-certificate-data: aGVsbG8=, client-key-data: VEhFLVNFQ1JFVA==}", "")),
		file("a token in no file", kubeconfig("", "{tokenFile: /nowhere/token}", "")),
		file("a token and a password", kubeconfig("", "{token: THE-SECRET, username: ci, password: THE-SECRET}", "")),
		file("a token of two lines", kubeconfig("", `{token: "THE-SECRET\nTOKEN"}`, "")),
		file("a plugin that is not there", kubeconfig("", "{exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin, interactiveMode: Never}}", "")),
		file("a plugin of an old version", kubeconfig("", "{exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: sh, interactiveMode: Never}}", "")),
		file("a plugin without a command", kubeconfig("", "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}}", "")),
		file("a plugin that wants to be typed to", kubeconfig("", "{exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Always}}", "")),
		file("a provider that is gone", kubeconfig("", "{auth-provider: {name: gcp, config: {access-token: THE-SECRET}}}", "")),
		file("a context of no cluster", kubeconfig("", "", "{cluster: prod, user: ci}")),
		file("a context of no user", kubeconfig("", "", "{cluster: lab, user: nobody}")),
		file("no current context", strings.Replace(whole, "current-context: ci\n", "", 1)),
		file("a current context of nothing", strings.Replace(whole, "current-context: ci", "current-context: prod", 1)),
		{name: "kubeconfig, none", run: status, env: map[string]string{"KUBECONFIG": ""}, input: "kubeconfig"},
		{name: "kubeconfig, nothing in $KUBECONFIG", run: status, env: map[string]string{"KUBECONFIG": "$WORK/a:$WORK/b"}},
		{name: "kubeconfig, garbage in $KUBECONFIG", run: status, env: map[string]string{"KUBECONFIG": "$WORK/pair.yaml"}},
		{name: "context, unknown", run: status + " --context prod", value: `"prod"`},
		{name: "context, unknown and hostile", run: status, env: map[string]string{"INPUT_CONTEXT": "a\n::error::b"}},
	}
	for i := range rows {
		if name := rows[i].name; name == "kubeconfig, a directory" || name == "kubeconfig, two documents" {
			rows[i].input = "" // the message names the directory, and where the text came from
		}
	}
	return append(rows, directRows(status)...)
}

// directRows are clusters that are named without a kubeconfig.
func directRows(status string) []badInput {
	direct := func(name, input, server, authority, token string) badInput {
		return badInput{name: "direct, " + name, run: status, input: input, env: map[string]string{
			"INPUT_KUBE-SERVER": server, "INPUT_KUBE-CA": authority, "INPUT_KUBE_TOKEN": token,
		}}
	}
	const server, token = "$SERVER", "THE-SECRET-TOKEN"
	both := direct("beside a kubeconfig", "kube-server", server, "", token)
	both.run += " --kubeconfig $WORK/cluster.yaml"
	named := direct("beside a context", "context", server, "", token)
	named.run += " --context ci"
	inside := badInput{name: "direct, in-cluster beside a context", run: status + " --kubeconfig in-cluster --context ci", input: "context", value: `"ci"`}
	return []badInput{
		direct("a server without a token", "kube-token", server, "", ""),
		direct("a token without a server", "kube-token", "", "", token),
		direct("an authority without a server", "kube-ca", "", "aGVsbG8=", ""),
		direct("a token with a blank", "kube-token", server, "", "THE-SECRET token"),
		direct("a token of two lines", "kube-token", server, "", "THE-SECRET\ntoken"),
		direct("a server without TLS", "kube-server", "http://192.0.2.1:8080", "", token),
		direct("a server with a password", "kube-server", "https://ci:THE-SECRET@192.0.2.1:6443", "", token),
		direct("an authority that is no base64", "kube-ca", server, "%%%", token),
		direct("an authority that is no certificate", "kube-ca", server, "aGVsbG8=", token),
		direct("a key for an authority", "kube-ca", server, "-----BEGIN PRIVATE KEY-----\nVEhFLVNFQ1JFVA==\n-----END PRIVATE KEY-----\n", token),
		direct("an authority that cannot be read", "kube-ca", server, "-----BEGIN CERTIFICATE-----\nVEhFLVNFQ1JFVA==\n-----END CERTIFICATE-----\n", token),
		direct("an authority that is a path", "kube-ca", server, "/etc/ssl/ca.pem", token),
		both, named, inside,
	}
}

// utf16Of is a text as PowerShell writes it.
func utf16Of(text string) []byte {
	data := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		data = append(data, byte(unit), byte(unit>>8))
	}
	return data
}

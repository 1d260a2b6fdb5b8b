package main

import (
	"bytes"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/org/l4-canary/internal/ci"
)

// mask keeps secrets out of everything that is written from here on: the CI system stars them
// out of the job log where it can do that, and what we write ourselves has none of them. The
// commands to the runner go by stderr, which it reads as well: stdout may be carrying JSON.
func (c *Command) mask(secrets []string) {
	platform := ci.New(ci.Options{Getenv: c.Getenv, Stdout: c.Stderr})
	for _, secret := range secrets {
		if secret == "" || c.veil.masked(secret) {
			continue
		}
		platform.Mask(secret) // in clear, so before it is hidden
		c.veil.add(secret)
	}
}

// proxyPasswords are those of the proxies that Go's HTTP client finds in the environment. They are
// sent with every request, and what a proxy says of one that it refuses becomes our error,
// https://pkg.go.dev/net/http#ProxyFromEnvironment
func proxyPasswords(getenv func(string) string) []string {
	var found []string
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		address := getenv(name)
		if _, rest, scheme := strings.Cut(address, "://"); scheme {
			address = rest
		}
		end := strings.LastIndexByte(address, '@')
		_, password, _ := strings.Cut(address[:max(end, 0)], ":")
		found = append(found, password)
		if plain, err := url.PathUnescape(password); err == nil {
			found = append(found, plain)
		}
	}
	return found
}

// veil replaces secrets that others have put into their words: a proxy that answers with the
// request that it got, a plugin, a pod. The zero value hides nothing, and so does nil.
type veil struct {
	mu      sync.Mutex
	told    []string // to the runner
	secrets [][]byte // the longest first, for one may be a part of another
}

// masked reports whether the runner has been told of a secret already.
func (v *veil) masked(secret string) bool {
	if v == nil {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Contains(v.told, secret)
}

// add hides a secret from now on.
func (v *veil) add(secret string) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told = append(v.told, secret)
	if telling(secret) {
		v.secrets = append(v.secrets, []byte(secret))
		slices.SortStableFunc(v.secrets, func(a, b []byte) int { return len(b) - len(a) })
	}
}

// telling reports whether a secret is more than a word that we write ourselves: to star "80" or
// "stable" out of a report would make a riddle of it, and no JSON.
func telling(secret string) bool {
	const short, long = 8, 24
	word := !strings.ContainsFunc(secret, func(r rune) bool { return r != '-' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') })
	return len(secret) >= long || len(secret) >= short && !word
}

// hide is a text with stars for every secret.
func (v *veil) hide(text []byte) []byte {
	if v == nil {
		return text
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, secret := range v.secrets {
		text = bytes.ReplaceAll(text, secret, []byte("***"))
	}
	return text
}

// veiled is a writer behind a veil. A secret that two Writes share is not found: a line is one.
type veiled struct {
	w    io.Writer
	veil *veil
}

// Write implements io.Writer.
func (v veiled) Write(p []byte) (int, error) {
	if _, err := v.w.Write(v.veil.hide(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

package config

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Place is where a rollout is to be found.
type Place struct {
	Kubeconfig string // path, YAML, base64 or "in-cluster"; empty: the usual places
	Server     string // URL of an API server; empty: the kubeconfig's
	Authority  []byte // PEM, for Server; nil: those that the machine trusts
	Token      string // for Server
	Context    string
	Namespace  string
	Service    string
}

func (r *reader) place() Place {
	place := Place{
		Kubeconfig: r.text("kubeconfig"), Server: r.server(), Authority: r.authority(), Token: r.text("kube-token"),
		Context: r.text("context"), Namespace: r.label("namespace"), Service: r.label("service"),
	}
	r.oneCluster()
	return place
}

// oneCluster sees to it that the inputs name a single cluster, and all of it.
func (r *reader) oneCluster() {
	switch {
	case r.text("kubeconfig") != "":
		r.rejectGiven("it cannot stand beside a kubeconfig: give one or the other", "kube-server", "kube-ca", "kube-token")
		if r.text("kubeconfig") == "in-cluster" && r.text("context") != "" {
			r.reject("context", "it is of a kubeconfig, and in-cluster stands for one")
		}
		return
	case r.text("kube-server") == "":
		r.rejectGiven("input \"kube-server\" is missing beside it", "kube-ca", "kube-token")
		return
	case r.text("kube-token") == "":
		r.rejectHint("kube-token", "missing beside input \"kube-server\"", "a secret that does not exist is empty")
	default:
		r.token("kube-token")
	}
	if r.text("context") != "" {
		r.reject("context", "it is of a kubeconfig, and input \"kube-server\" stands for one")
	}
}

// token reads a bearer token, or nothing: what holds blanks is none, and no request could carry it.
func (r *reader) token(name string) string {
	text := r.text(name)
	if strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) {
		r.reject(name, "a token on one line, without blanks")
	}
	return text
}

// rejectGiven rejects those of several inputs that somebody gave.
func (r *reader) rejectGiven(allowed string, names ...string) {
	for _, name := range names {
		if r.text(name) != "" {
			r.reject(name, allowed)
		}
	}
}

// server is the address of an API server. Without TLS no token would be sent.
func (r *reader) server() string {
	text := r.text("kube-server")
	if text == "" {
		return ""
	}
	server, err := url.Parse(text)
	if err != nil || server.Scheme != "https" || server.Hostname() == "" || server.User != nil || server.RawQuery != "" || server.Fragment != "" {
		r.reject("kube-server", "an address that begins with https://, such as https://203.0.113.7:6443, and holds no user")
		if strings.ContainsAny(text, "@?") { // with a password, perhaps, or a token
			r.problems[len(r.problems)-1].Value = ""
		}
	}
	return text
}

// authority are certificates as PEM, from PEM or from base64 of it, as a kubeconfig has them.
func (r *reader) authority() []byte {
	text := r.text("kube-ca")
	if text == "" {
		return nil
	}
	data := []byte(text)
	if !strings.Contains(text, "-----BEGIN") {
		packed := strings.TrimRight(strings.Join(strings.Fields(text), ""), "=")
		var err error
		if data, err = base64.RawStdEncoding.DecodeString(packed); err != nil {
			r.reject("kube-ca", "certificates as PEM, or the same in base64")
			return nil
		}
	}
	if err := certificates(data); err != nil {
		r.reject("kube-ca", err.Error())
		return nil
	}
	return data
}

// certificates reports what is wrong with a bundle of them. Nothing but certificates may be in
// it: a key in the wrong input is better said than used.
func certificates(data []byte) error {
	found := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("certificates as PEM: it holds a block of type %q", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("certificates as PEM: number %d cannot be read", found+1)
		}
		found++
	}
	if found == 0 {
		return errors.New("certificates as PEM, or the same in base64: it holds none")
	}
	return nil
}

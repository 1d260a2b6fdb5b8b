package spec

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"strings"

	"github.com/org/l4-canary/internal/probe"
)

// layers are what lies around the exchange; n is the field "tls" among them.
func (n node) layers(fields map[string]node) probe.Layers {
	layers := probe.Layers{
		Proxy:    probe.ProxyHeader(fields["proxyProtocol"].choice(string(probe.ProxyV1), string(probe.ProxyV2))),
		StartTLS: probe.StartTLS(fields["starttls"].choice(probe.StartTLSNames()...)),
	}
	if n.there() {
		layers.TLS = n.tls()
	}
	return layers
}

func (n node) tls() *probe.TLS {
	fields := n.fields("sni", "alpn", "ca", "insecure", "certificate", "key", "minVersion")
	t := &probe.TLS{
		ServerName: string(fields["sni"].literal()), ALPN: fields["alpn"].texts(), Insecure: fields["insecure"].truth(),
		MinVersion: versions()[fields["minVersion"].version()],
	}
	if ca := fields["ca"]; ca.there() {
		if t.Insecure {
			ca.reject("insecure takes any certificate: leave one of them out")
		}
		t.Roots = x509.NewCertPool()
		if data := ca.pem(); data != nil && !t.Roots.AppendCertsFromPEM(data) {
			ca.reject("it holds no certificate in PEM")
		}
	}
	certificate, key := fields["certificate"], fields["key"]
	switch {
	case certificate.there() != key.there():
		n.reject("certificate and key go together")
	case certificate.there():
		chain, private := certificate.pem(), key.pem()
		if chain == nil || private == nil {
			break
		}
		pair, err := tls.X509KeyPair(chain, private)
		if err != nil {
			certificate.reject("with the key it makes no pair: %s", strings.TrimPrefix(err.Error(), "tls: "))
			break
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t
}

func versions() map[string]uint16 {
	return map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}
}

// version is a version of TLS, as a text or, since YAML makes one of 1.2, as a number.
func (n node) version() string {
	if number, ok := n.value.(json.Number); ok {
		n.value = number.String()
	}
	if n.value == "1" {
		n.value = "1.0"
	}
	return n.choice("1.0", "1.1", "1.2", "1.3")
}

// pem is PEM, written there or in a file of that name; nil if it cannot be had.
func (n node) pem() []byte {
	text := n.text()
	const begin = "-----BEGIN "
	if !strings.Contains(text, begin) {
		text = string(n.literal())
	}
	if text == "" || strings.Contains(text, begin) {
		return []byte(text)
	}
	data, err := n.r.source.ReadFile(text)
	if err != nil {
		if strings.Contains(n.text(), "${") { // its value is not to be shown
			err = errors.New("what comes of the environment is neither")
		}
		n.reject("it has to be PEM, or the name of a file: %s", err)
		return nil
	}
	return data
}

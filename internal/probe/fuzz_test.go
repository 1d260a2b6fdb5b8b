package probe

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// FuzzClassifier: what was learned and is read again knows the same answers; what is read from
// anything else is refused or holds its own.
func FuzzClassifier(f *testing.F) {
	f.Add([]byte(`{"stable":[{"text":"b2xk"}],"canary":[{"text":"bmV3","begin":true}]}`), []byte("old"))
	f.Add([]byte(`{"stable":[{"text":"","begin":true,"end":true}],"canary":null,"common":[{"text":"YQ=="}],"tail":"Yg=="}`), []byte("ab"))
	f.Add([]byte(`{"stable":[{}]}`), []byte(""))
	f.Add([]byte("null"), []byte("x"))
	f.Fuzz(func(t *testing.T, data, answer []byte) {
		var c Classifier
		if json.Unmarshal(data, &c) != nil {
			return
		}
		again, err := json.Marshal(&c)
		require.NoError(t, err)
		var same Classifier
		require.NoError(t, json.Unmarshal(again, &same))
		for _, class := range []Class{Answered, Reset} {
			one, other := Flow{Class: class, Answer: answer}, Flow{Class: class, Answer: answer}
			c.Attribute(&one)
			same.Attribute(&other)
			require.Equal(t, one, other)
			if class == Answered {
				require.Contains(t, []Version{Stable, Canary, Unknown}, one.Version)
			} else {
				require.Contains(t, []Version{Stable, Canary, None}, one.Version, "a part of an answer is no answer that nobody knows")
			}
		}
	})
}

// FuzzPatterns: an answer has one version or none, and a pod only if it has a version.
func FuzzPatterns(f *testing.F) {
	f.Add("old", "new", []byte("old"))
	f.Add(`(?P<pod>[a-z]+-\d+)`, "(?P<pod>", []byte("web-1 \xff"))
	f.Add("(?P<pod>x)?", "", []byte(""))
	f.Fuzz(func(t *testing.T, stable, canary string, answer []byte) {
		c, err := NewClassifier(stable, canary)
		if err != nil {
			require.Regexp(t, "^(stable|canary)-pattern: ", err.Error())
			return
		}
		version, pod := c.Classify(answer)
		require.Contains(t, []Version{Stable, Canary, Unknown}, version)
		if version == Unknown {
			require.Empty(t, pod)
		} else {
			require.False(t, c.ambiguous(answer))
			require.Contains(t, string(answer), pod)
		}
	})
}

// FuzzDescribe: what a stranger wrote into a certificate stays on the line that it belongs to.
func FuzzDescribe(f *testing.F) {
	issued := newAuthority(f).issue(f, "old")
	f.Add(issued.Certificate[0], "h2")
	f.Add([]byte("0"), "\n")
	f.Fuzz(func(t *testing.T, der []byte, alpn string) {
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		text := describe(tls.ConnectionState{Version: tls.VersionTLS13, NegotiatedProtocol: alpn, PeerCertificates: []*x509.Certificate{leaf}})
		require.Regexp(t, `^((version|alpn|subject|cn|issuer|serial|fingerprint|dns|ip|uri|email): [^\x00-\x1f\x7f]*\n)+$`, string(text))
	})
}

// FuzzSaid: the text of a name server's answer, and the word for why there is none, is one line.
func FuzzSaid(f *testing.F) {
	f.Add("9.18.1", 0)
	f.Add("a\nb\x1b[31m\x00", 0)
	f.Add("", 3)
	f.Fuzz(func(t *testing.T, text string, code int) {
		message := &dnsmessage.Message{Header: dnsmessage.Header{RCode: dnsmessage.RCode(code)}}
		if text != "" {
			message.Answers = []dnsmessage.Resource{{Body: &dnsmessage.TXTResource{TXT: []string{text, text}}}}
		}
		require.NotEmpty(t, said(message))
		require.NotRegexp(t, `[\x00-\x1f\x7f]`, said(message))
	})
}

// FuzzClassOf: every error of a system is one of the ways that a flow ends, however it is
// wrapped.
func FuzzClassOf(f *testing.F) {
	for _, errno := range []int{0, int(syscall.ECONNRESET), int(syscall.EMFILE), int(syscall.EHOSTUNREACH), 9999, -1} {
		f.Add(errno)
	}
	f.Fuzz(func(t *testing.T, errno int) {
		class := classOf(syscall.Errno(errno))
		require.Contains(t, []Class{Refused, Reset, Timeout, Faulty, Local}, class)
		require.Equal(t, class, classOf(fmt.Errorf("reading: %w", errors.Join(syscall.Errno(errno)))))
	})
}

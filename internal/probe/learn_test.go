package probe

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// heard are answers that came through the balancer, and from a pod of each name that
// is written before "@".
func heard(texts ...string) []Heard {
	var all []Heard
	for _, text := range texts {
		pod, answer, asked := strings.Cut(text, "@")
		if !asked {
			pod, answer = "", text
		}
		all = append(all, Heard{Pod: pod, Answer: []byte(answer)})
	}
	return all
}

func TestLearn(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name           string
		stable, canary []string
		words          string
		others         map[string]Version // answers that nobody has heard yet
	}{
		{
			"a banner with pod and version", []string{"1.8.2 lobby-a\n", "1.8.2 lobby-b\n"}, []string{"1.9.0 lobby-c\n"},
			`stable answers contain "1.8.2", canary's "1.9.0", in the banner`,
			map[string]Version{"1.9.0 lobby-d\n": Canary, "1.8.2 lobby-d\n": Stable, "1.9.1 lobby-c\n": Unknown, "": Unknown, "21.8.2 x\n": Unknown},
		},
		{
			"one version is the beginning of the other", []string{"api 1.1\n"}, []string{"api 1.10\n"},
			`stable answers contain "1.1", canary's "1.10", in the banner`,
			map[string]Version{"api 1.1": Stable, "api 1.10": Canary, "api 1.1.1\n": Unknown, "api 1.100\n": Unknown, "api 11.1\n": Unknown},
		},
		{
			"a patch release", []string{"Server: nginx/1.27\r\n"}, []string{"Server: nginx/1.27.1\r\n"},
			`stable answers contain "1.27", canary's "1.27.1", in the banner`,
			map[string]Version{"Server: nginx/1.27.1-rc1\r\n": Unknown, "Server: nginx/1.27 \r\n": Stable, "nginx/1.27.1 says hello.": Canary},
		},
		{
			"a sentence", []string{"This is 1.2.3. Hello a!"}, []string{"This is 1.2.4. Hello b!"},
			`stable answers contain "1.2.3", canary's "1.2.4", in the banner`,
			map[string]Version{"This is 1.2.4. Hello z!": Canary},
		},
		{
			"HTTP with times, ids and lengths",
			[]string{
				"HTTP/1.1 200 OK\r\nDate: Wed, 25 Nov 2026 12:58:59 GMT\r\nContent-Length: 40\r\nX-Request-Id: 7\r\n\r\n{\"version\":\"2.0.0\",\"pod\":\"a\",\"n\":1}",
				"HTTP/1.1 200 OK\r\nDate: Wed, 25 Nov 2026 12:58:59 GMT\r\nContent-Length: 40\r\nX-Request-Id: 7\r\n\r\n{\"version\":\"2.0.0\",\"pod\":\"a\",\"n\":2}",
			},
			[]string{"HTTP/1.1 200 OK\r\nDate: Wed, 25 Nov 2026 12:59:10 GMT\r\nContent-Length: 41\r\nX-Request-Id: 8\r\n\r\n{\"version\":\"2.0.10\",\"pod\":\"b\",\"n\":1}"},
			`stable answers contain "2.0.0", canary's "2.0.10", in the body`,
			map[string]Version{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nDate: x\r\n\r\n{\"version\":\"2.0.10\"}": Canary},
		},
		{
			"a header", []string{"HTTP/1.1 200 OK\r\nServer: Apache/2.4.1\r\n\r\n"}, []string{"HTTP/1.1 200 OK\r\nServer: Apache/2.4.2\r\n\r\n"},
			`stable answers contain "2.4.1", canary's "2.4.2", in the header "Server"`, nil,
		},
		{
			"a commit", []string{`{"commit":"3f2a9c1","id":"77aa01"}`}, []string{`{"commit":"9bc1d00","id":"41ffe2"}`},
			`stable answers contain "3f2a9c1", canary's "9bc1d00", in the banner`,
			map[string]Version{`{"commit":"9bc1d00","id":"000000"}`: Canary},
		},
		{
			"a colour", []string{"hello from blue\n"}, []string{"hello from green\n"},
			`stable answers contain "blue", canary's "green", in the banner`, map[string]Version{"hello from red\n": Unknown},
		},
		{
			"MySQL's greeting", []string{"\x4a\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00abcd", "\x4a\x00\x00\x00\x0a8.0.36\x00\x09\x00\x00\x00efgh"},
			[]string{"\x4a\x00\x00\x00\x0a8.4.01\x00\x08\x00\x00\x00ijkl"},
			`stable answers contain "8.0.36", canary's "8.4.01", in the answer`, nil,
		},
		{
			"OpenSSH", []string{"SSH-2.0-OpenSSH_9.2p1\r\n"}, []string{"SSH-2.0-OpenSSH_9.6\r\n"},
			`stable answers contain "SSH-2.0-OpenSSH_9.2p1", canary's "SSH-2.0-OpenSSH_9.6", in the banner`, nil,
		},
		{
			"a package's revision", []string{"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2\r\n"}, []string{"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"},
			`stable answers contain "Debian-2+deb12u2", canary's "Debian-2+deb12u3", in the banner`, nil,
		},
		{
			"another server", []string{"mail-0-abcde@220 mail-0-abcde ESMTP OpenSMTPD\r\n"}, []string{"mail-1-xyzvw@220 mail-1-xyzvw ESMTP Postfix (Debian)\r\n"},
			`stable answers contain "OpenSMTPD", canary's "Postfix", in the banner`, map[string]Version{"220 mail-1-bbbbb ESMTP Postfix (Debian)\r\n": Canary},
		},
		{
			"an opaque build, and several pods", []string{"a@app.3f2a9c1b.js\n", "b@app.3f2a9c1b.js\n"}, []string{"c@app.77aa010d.js\n"},
			`stable answers contain "app.3f2a9c1b.js", canary's "app.77aa010d.js", in the banner`, nil,
		},
		{
			"bytes that are no text, from several pods", []string{"a@\x20\x02\x00\x00", "b@\x20\x02\x00\x00"}, []string{"c@\x20\x02\x00\x05"},
			`stable answers contain " \x02\x00\x00", canary's " \x02\x00\x05", in the banner`,
			map[string]Version{"\x20\x02\x00\x04": Unknown, "\x20\x02\x00\x05": Canary},
		},
		{
			"a letter", []string{"S"}, []string{"N"}, `stable answers contain "S", canary's "N", in the banner`, map[string]Version{"": Unknown},
		},
		{
			"the same words in another order", []string{"alpha beta 1\n", "alpha beta 2\n"}, []string{"beta alpha 7\n"},
			`stable answers contain "alpha", canary's "beta", in the banner`, map[string]Version{"beta alpha 9\n": Canary, "alpha beta 9\n": Stable},
		},
		{
			"a header more", []string{"HTTP/1.1 200 OK\r\nServer: x\r\nAccept-Ranges: bytes\r\n\r\nhello\n"},
			[]string{"HTTP/1.1 200 OK\r\nServer: x\r\nX-Feature: dark\r\nAccept-Ranges: bytes\r\n\r\nhello\n"},
			`stable answers contain "x\r\nAccept-Ranges", canary's "X-Feature", in the header "X-Feature"`, nil,
		},
		{
			"one more word among noise", []string{"hello 17\n", "hello 4711\n"}, []string{"hello 3 beta\n", "hello 12 beta\n"},
			`canary's answers contain "beta", stable ones do not, in the banner`,
			map[string]Version{"hello 9": Unknown, "oops\n": Unknown, "hello 99\n": Stable, "hello 99 beta\n": Canary},
		},
		{
			"one word less among noise", []string{"hello 17 old\n", "hello 4711 old\n"}, []string{"hello 3\n", "hello 12\n"},
			`stable answers contain "old", canary's do not, in the banner`, map[string]Version{"hello 99\n": Canary, "hello": Unknown},
		},
		{
			"empty answers", []string{"", ""}, []string{"hello\n"},
			`stable answers contain "", canary's "hello", in the banner`, map[string]Version{"": Stable, "x": Unknown},
		},
		{
			"two stable versions", []string{"v 1.8.1 a\n", "v 1.8.2 b\n", "v 1.8.1 c\n", "v 1.8.2 d\n"}, []string{"v 1.9.0 e\n"},
			`stable answers contain "1.8.1" or "1.8.2", canary's "1.9.0", in the banner`,
			map[string]Version{"v 1.8.2 z\n": Stable, "v 1.9.0 z\n": Canary, "v 1.8.3 z\n": Unknown},
		},
		{
			"a number that several pods of both have", []string{"a@2\n", "b@2\n"}, []string{"c@3\n", "d@3\n"},
			`stable answers contain "2", canary's "3", in the banner`, map[string]Version{"23\n": Unknown, "3\n": Canary},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, err := Learn(Evidence{Stable: heard(row.stable...), Canary: heard(row.canary...)})
			require.NoError(t, err)
			require.Equal(t, row.words, c.String())
			for answer, want := range row.others {
				got, pod := c.Classify([]byte(answer))
				require.Equal(t, want, got, "%q", answer)
				require.Empty(t, pod)
			}
		})
	}
}

func TestLearnRefuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name           string
		stable, canary []string
		why            string
	}{
		{"the same", []string{"hello\n"}, []string{"hello\n"}, "all answers of both versions are the same"},
		{"nothing", []string{""}, []string{""}, "all answers of both versions are the same"},
		{"noise alone", []string{"7a\n", "8b\n", "9c\n"}, []string{"1f\n", "2e\n"}, "no part of the answers differs"},
		{"an id of one pod", []string{"id 8f3a9c\n"}, []string{"id 771bc0\n"}, `can be a pod's own, or change with time, as "id 8f3a9c"`},
		{"an instance in hexadecimal", []string{"x@8f3a9c\n"}, []string{"y@771bc0\n"}, "can be a pod's own"},
		{"pods' names", []string{"lobby-blue-7d9f4b5c6d-x2x9z@hello from lobby-blue-7d9f4b5c6d-x2x9z\n"},
			[]string{"lobby-green-5c6d7d9f4b-abcde@hello from lobby-green-5c6d7d9f4b-abcde\n"}, "no part of the answers differs"},
		{"pods' suffixes", []string{"lobby-7d9f4b5c6d-x2x9z@I am X2X9Z\n"}, []string{"lobby-5c6d7d9f4b-abcde@I am ABCDE\n"}, "no part"},
		{"start times", []string{"up since 2026-11-20T08:00:01Z\n"}, []string{"up since 2026-11-25T12:59:10Z\n"}, "no part"},
		{"start days", []string{"started 2026-11-20\n"}, []string{"started 2026-11-25\n"}, "can be a pod's own, or change with time, as"},
		{"days up", []string{"a@up 14 days\n", "b@up 14 days\n"}, []string{"c@up 0 days\n", "d@up 0 days\n"}, "can be a pod's own, or change with time, as"},
		{"load", []string{"load: 0.52\n"}, []string{"load: 0.10\n"}, "can be a pod's own, or change with time, as"},
		{"seconds since 1970", []string{"boot 1764000000\n"}, []string{"boot 1764075550\n"}, "no part"},
		{"addresses", []string{"from 10.244.1.5\n"}, []string{"from 10.244.2.9\n"}, "can be a pod's own, or change with time, as"},
		{"zones", []string{"a@zone: eu-1\n", "b@zone: eu-1\n"}, []string{"c@zone: eu-2\n", "d@zone: eu-2\n"}, "can be a pod's own, or change with time, as"},
		{"what the pods are", []string{`{"role":"alpha","up":true} leader`}, []string{`{"role":"beta","up":false} follower`}, "can be a pod's own"},
		{"a certificate of each pod", []string{"serial: 4f2a91\n"}, []string{"serial: 5a1b77\n"}, "can be a pod's own"},
		{"run ids", []string{"run_id:c4b1f0aa99\r\nhz:10\r\n"}, []string{"run_id:88ab3c1d77\r\nhz:10\r\n"}, "can be a pod's own"},
		{"a status", []string{"HTTP/1.1 200 OK\r\n\r\n"}, []string{"HTTP/1.1 404 Not Found\r\n\r\n"}, "no part"},
		{"cookies and lengths", []string{"HTTP/1.1 200 OK\r\nSet-Cookie: s=abc\r\nContent-Length: 3\r\n\r\nabc"},
			[]string{"HTTP/1.1 200 OK\r\nSet-Cookie: s=def\r\nContent-Length: 4\r\n\r\nabc"}, "no part"},
		{"headers in any order", []string{"A: 1\r\nB: 2\r\n", "B: 2\r\nA: 1\r\n"}, []string{"A: 1\r\nB: 2\r\n", "B: 2\r\nA: 1\r\n"}, "no part"},
		{"one answer is the other's", []string{"v 1.8.2\n", "v 1.9.0\n"}, []string{"v 1.9.0\n"}, "no part"},
		{"bytes of one pod", []string{"\x01\x02\x03"}, []string{"\x01\x02\x04"}, "can be a pod's own"},
		{"a mixture with a version that was heard once", []string{"v 1.8.1 a\n", "v 1.8.1 b\n", "v 1.8.2 c\n"}, []string{"v 1.9.0 e\n"}, "no part"},
		{"a word more, and nothing in common", []string{"17\n", "4\n"}, []string{"3 beta\n", "12 beta\n"}, "no part"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, err := Learn(Evidence{Stable: heard(row.stable...), Canary: heard(row.canary...)})
			require.Nil(t, c, "%s", c)
			var alike *AlikeError
			require.ErrorAs(t, err, &alike)
			require.ErrorContains(t, err, row.why)
			require.ErrorContains(t, err, "; stable answers "+quote(alike.Stable)+", the canary "+quote(alike.Canary))
		})
	}
	_, err := Learn(Evidence{Stable: heard("x")})
	require.ErrorContains(t, err, "no answer")
}

// TestLearnKeepsToTheControl has stable pods asked in the way in which the canary was:
// what belongs to the way, or to the moment, is in both.
func TestLearnKeepsToTheControl(t *testing.T) {
	t.Parallel()
	c, err := Learn(Evidence{
		Stable: append(heard("you are 192.0.2.1, it is minute 58, 2 players, I am blue"), heard("a@you are 127.0.0.1, it is minute 59, 3 players, I am blue")...),
		Canary: heard("c@you are 127.0.0.1, it is minute 59, 3 players, I am green"),
	})
	require.NoError(t, err)
	require.Equal(t, `stable answers contain "blue", canary's "green", in the banner`, c.String())
	c, err = Learn(Evidence{
		Stable: append(heard("you are 192.0.2.1, it is minute 58, 2 players"), heard("a@you are 127.0.0.1, it is minute 59, 3 players")...),
		Canary: heard("c@you are 127.0.0.1, it is minute 59, 3 players"),
	})
	require.Nil(t, c)
	require.Error(t, err)
}

func TestLearnIsRemembered(t *testing.T) {
	t.Parallel()
	for _, texts := range [][2]string{{"1.8.2 a\n", "1.9.0 b\n"}, {"hello 17\n|hello 4\n", "hello 3 beta\n|hello 12 beta\n"}, {"", "x\n"}} {
		c, err := Learn(Evidence{Stable: heard(strings.Split(texts[0], "|")...), Canary: heard(strings.Split(texts[1], "|")...)})
		require.NoError(t, err)
		data, err := json.Marshal(c)
		require.NoError(t, err)
		var again Classifier
		require.NoError(t, json.Unmarshal(data, &again))
		require.Equal(t, *c, again)
	}
	for _, data := range []string{`null`, `{}`, `{"stable":[{"text":""}],"canary":[]}`, `{"stable":[{"text":"YQ=="}],"common":[{"text":"","begin":true}]}`, `{"stable":7}`} {
		var c Classifier
		require.Error(t, json.Unmarshal([]byte(data), &c), data)
	}
}

// TestAttribute has flows that failed after a part of their answer.
func TestAttribute(t *testing.T) {
	t.Parallel()
	versions, err := Learn(Evidence{Stable: heard("api 1.1\nok\n"), Canary: heard("api 1.10\nok\n")})
	require.NoError(t, err)
	more, err := Learn(Evidence{Stable: heard("hello 17\n", "hello 4711\n"), Canary: heard("hello 3 beta\n", "hello 12 beta\n")})
	require.NoError(t, err)
	for _, row := range []struct {
		classifier *Classifier
		class      Class
		answer     string
		want       Version
	}{
		{versions, Answered, "api 1.1", Stable},
		{versions, Reset, "api 1.1", None}, // it may have been 1.10
		{versions, Reset, "api 1.1\n", Stable},
		{versions, Faulty, "api 1.10\nok", Canary},
		{versions, Reset, "", None},
		{versions, Answered, "", Unknown},
		{more, Answered, "hello 5\n", Stable},
		{more, Timeout, "hello 5\n", None}, // the rest may not have come
		{more, Timeout, "hello 5 beta\n", Canary},
		{nil, Answered, "hello", Unknown},
		{nil, Timeout, "hello", None},
	} {
		f := Flow{Class: row.class, Answer: []byte(row.answer), Version: Canary, Pod: "left over"}
		row.classifier.Attribute(&f)
		require.Equal(t, row.want, f.Version, "%s %q", row.class, row.answer)
		require.Empty(t, f.Pod)
	}
}

// TestClassifyLearnedAllocatesNothing is for thousands of answers a second.
func TestClassifyLearnedAllocatesNothing(t *testing.T) {
	c, err := Learn(Evidence{Stable: heard("Server: nginx/1.27\r\n"), Canary: heard("Server: nginx/1.27.1\r\n")})
	require.NoError(t, err)
	answer := []byte(fmt.Sprintf("%s\r\nServer: nginx/1.27.1\r\n", strings.Repeat("nginx/1.27.2 ", 100)))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if version, _ := c.Classify(answer); version != Canary {
			t.Error(version)
		}
	}))
}

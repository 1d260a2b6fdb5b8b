package inside

import (
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/spec"
)

// custom is a probe with a secret and a file.
const custom = `- {port: 6379, steps: [{send: "AUTH ${PASSWORD}\r\n", expect: "OK"}]}
- {port: 443, tls: {ca: ca.pem, insecure: false}}
- {port: 9, preset: none}`

func available() []spec.Port {
	return []spec.Port{
		{Name: "redis", Number: 6379, Protocol: probe.TCP}, {Number: 443, Protocol: probe.TCP}, {Number: 9, Protocol: probe.TCP},
	}
}

// TestSpecTravels: what a probe was read from is all that it takes to read it again,
// and what it was not read from does not travel.
func TestSpecTravels(t *testing.T) {
	t.Parallel()
	kept := Spec{Text: custom}
	there := spec.Source{
		Getenv: func(name string) string { return map[string]string{"PASSWORD": "hunter2", "TOKEN": "other"}[name] },
		ReadFile: func(name string) ([]byte, error) {
			if name == "ca.pem" {
				return []byte(certificate), nil
			}
			return nil, fs.ErrNotExist
		},
	}
	_, err := spec.Load(custom, kept.Keep(there))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"PASSWORD": "hunter2"}, kept.Env)
	require.Equal(t, map[string][]byte{"ca.pem": []byte(certificate)}, kept.Files)

	plan := Plan{Spec: kept, Available: available(), Asked: []string{"6379/TCP", "443/TCP"}, Addresses: []string{"192.0.2.7"}, Rate: 50}
	data, err := plan.Encode()
	require.NoError(t, err)
	back, err := DecodePlan(data)
	require.NoError(t, err)
	require.Equal(t, plan, back)
	ports, err := back.ports()
	require.NoError(t, err)
	require.Equal(t, []string{"6379/TCP", "443/TCP"}, names(ports))

	back.Asked = []string{"6379/TCP"}
	_, err = back.ports()
	require.EqualError(t, err, `the plan asks ports ["6379/TCP"], and its probes ["6379/TCP" "443/TCP"]`)
	back.Spec.Env = nil
	_, err = back.ports()
	require.ErrorContains(t, err, "PASSWORD is empty or not there")
	back.Spec.Files = nil
	_, err = back.ports()
	require.ErrorContains(t, err, "ca.pem")
}

// TestEveryPlanHasAKeyOfItsOwn: answers of one window say nothing of another's.
func TestEveryPlanHasAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	var plan Plan
	_, err := plan.Encode()
	require.NoError(t, err)
	first := plan.Key
	_, err = plan.Encode()
	require.NoError(t, err)
	require.Len(t, first, keySize)
	require.NotEqual(t, first, plan.Key)
}

func TestDecodePlanIsStrict(t *testing.T) {
	t.Parallel()
	var plan Plan
	good, err := plan.Encode()
	require.NoError(t, err)
	for text, why := range map[string]string{
		"":                              "reading the plan: unexpected end of JSON input",
		"[]":                            "reading the plan: json:",
		`{"format":2,"whatever":"new"}`: "it is of format 2, and this program's is 1",
		`{"format":1,"whatever":"new"}`: `unknown field "whatever"`,
		`{"format":1,"key":"AAAA"}`:     "its key has 3 bytes, and has to have 32",
		string(good) + "{}":             "invalid character",
	} {
		_, err := DecodePlan([]byte(text))
		require.ErrorContains(t, err, why, text)
	}
}

// TestClassifiers: patterns stand for every port, and what was learned for its own.
func TestClassifiers(t *testing.T) {
	t.Parallel()
	plan := Plan{Asked: []string{"80/TCP", "81/TCP"}, Stable: "old", Canary: "new"}
	found, err := plan.classifiers()
	require.NoError(t, err)
	require.Len(t, found, 2)
	version, _ := found[1].Classify([]byte("a new one"))
	require.Equal(t, probe.Canary, version)

	var learned probe.Classifier
	require.NoError(t, json.Unmarshal([]byte(`{"stable":[{"text":"MS44"}],"canary":[{"text":"MS45"}],"words":"w"}`), &learned))
	plan.Known = []*probe.Classifier{nil, &learned}
	data, err := plan.Encode()
	require.NoError(t, err)
	back, err := DecodePlan(data)
	require.NoError(t, err)
	require.Equal(t, plan, back)
	found, err = back.classifiers()
	require.NoError(t, err)
	version, _ = found[1].Classify([]byte("lobby 1.9"))
	require.Equal(t, probe.Canary, version)
	version, _ = found[0].Classify([]byte("lobby 1.9"))
	require.Equal(t, probe.Unknown, version)

	plan.Known = plan.Known[:1]
	_, err = plan.classifiers()
	require.EqualError(t, err, "the plan asks 2 ports and knows the answers of 1")
	plan.Listen = true
	found, err = plan.classifiers()
	require.NoError(t, err)
	require.Nil(t, found)
	_, err = (&Plan{Stable: "("}).classifiers()
	require.ErrorContains(t, err, "stable-pattern")
}

// FuzzDecodePlan: a plan is carried out whole or not at all.
func FuzzDecodePlan(f *testing.F) {
	plan := Plan{Spec: Spec{Text: "tcp"}, Available: available(), Asked: []string{"9/TCP"}}
	good, err := plan.Encode()
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"format":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := DecodePlan(data)
		if err != nil {
			return
		}
		require.Equal(t, Format, p.Format)
		require.Len(t, p.Key, keySize)
		_, _ = p.ports()
		_, _ = p.classifiers()
	})
}

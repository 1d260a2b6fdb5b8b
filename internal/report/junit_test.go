package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
)

func junit(t *testing.T, record *rollout.Record, version string) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, JUnit(&b, record, version))
	return b.Bytes()
}

func TestJUnitGolden(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"promoted", "rolled-back-share", "rolled-back-crash", "rolled-back-query", "refused", "hostile", "running"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name+".xml", junit(t, fixtures()[name], "1.0.0"))
		})
	}
}

// rule is what Jenkins' schema says of an element: who holds it, what it may hold, which
// attributes it must have and which it may have besides.
type rule struct {
	in, required, optional string
	text                   bool
}

// grammar is as much of https://github.com/jenkinsci/xunit-plugin, junit-10.xsd, as a report
// uses. GitLab reads the same names, https://docs.gitlab.com/ci/testing/unit_test_reports/
var grammar = map[string]rule{
	"testsuites": {in: "", optional: "name tests failures errors time"},
	"testsuite":  {in: "testsuites", required: "name tests failures errors", optional: "skipped time timestamp hostname id package"},
	"properties": {in: "testsuite"},
	"property":   {in: "properties", required: "name value"},
	"testcase":   {in: "testsuite", required: "name", optional: "classname time"},
	"skipped":    {in: "testcase", optional: "type message", text: true},
	"error":      {in: "testcase", optional: "type message", text: true},
	"failure":    {in: "testcase", optional: "type message", text: true},
	"system-out": {in: "testcase", text: true},
}

// requireJUnit holds a document against the grammar, and its sums against its cases.
func requireJUnit(t *testing.T, document []byte) {
	t.Helper()
	require.True(t, utf8.Valid(document))
	require.True(t, bytes.HasPrefix(document, []byte(xml.Header)))
	decoder := xml.NewDecoder(bytes.NewReader(document))
	decoder.Strict = true
	path := []string{""}
	counts, said := map[string]int{}, map[string]string{}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		switch element := token.(type) {
		case xml.StartElement:
			name := element.Name.Local
			r, known := grammar[name]
			require.True(t, known, name)
			require.Equal(t, r.in, path[len(path)-1], name)
			attributes := requireAttributes(t, element, r)
			if name == "testsuite" {
				said = attributes
			}
			counts[name]++
			path = append(path, name)
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			if text := string(element); strings.TrimSpace(text) != "" {
				require.True(t, grammar[path[len(path)-1]].text, "%q in %v", text, path)
				require.NotRegexp(t, forbidden, text)
				require.NotContains(t, text, "[[ATTACHMENT")
			}
		}
	}
	require.Equal(t, []string{""}, path)
	require.Positive(t, counts["testcase"], "Jenkins takes a suite without cases for a mistake")
	for attribute, element := range map[string]string{"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"} {
		require.Equal(t, strconv.Itoa(counts[element]), said[attribute], attribute)
	}
}

// forbidden are characters that no XML 1.0 document may hold, https://www.w3.org/TR/xml/#charsets,
// and what an eye or a terminal would be misled by.
var forbidden = regexp.MustCompile("[\x00-\x08\x0b-\x1f\x7f-\u009f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")

// requireAttributes are those of an element, each as the grammar wants it.
func requireAttributes(t *testing.T, element xml.StartElement, r rule) map[string]string {
	t.Helper()
	attributes := map[string]string{}
	for _, a := range element.Attr {
		require.Contains(t, strings.Fields(r.required+" "+r.optional), a.Name.Local, element.Name.Local)
		require.NotContains(t, attributes, a.Name.Local)
		require.NotRegexp(t, forbidden, a.Value)
		require.NotContains(t, a.Value, "\n")
		attributes[a.Name.Local] = a.Value
	}
	for name := range strings.FieldsSeq(r.required) {
		require.Contains(t, attributes, name, element.Name.Local)
	}
	for _, number := range []string{"tests", "failures", "errors", "skipped"} {
		if text, ok := attributes[number]; ok {
			require.Regexp(t, `^\d+$`, text)
		}
	}
	if text, ok := attributes["time"]; ok {
		require.Regexp(t, `^\d+\.\d{3}$`, text)
	}
	if text, ok := attributes["timestamp"]; ok {
		require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$`, text)
	}
	return attributes
}

// TestJUnitIsValid: in every state, and the same bytes for the same run, also when it comes
// out of its JSON document.
func TestJUnitIsValid(t *testing.T) {
	t.Parallel()
	for name, record := range fixtures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := junit(t, record, "1.0.0")
			requireJUnit(t, first)
			require.Equal(t, string(first), string(junit(t, record, "1.0.0")))
			back, version, err := FromJSON(bytes.NewReader(asJSON(t, record)))
			require.NoError(t, err)
			require.Equal(t, string(first), string(junit(t, back, version)))
		})
	}
}

// TestJUnitIsRed: a reader sees a run that did not end well, and no other, in red.
func TestJUnitIsRed(t *testing.T) {
	t.Parallel()
	drifted := lobbyHeld() // it ended between two stages
	drifted.Outcome, drifted.Reason = rollout.RolledBack, rollout.ReasonDrift
	between := seedPromoted() // killed there
	between.Outcome, between.Reason = "", ""
	skippedOnly := undecided()
	for name, c := range map[string]struct {
		record *rollout.Record
		want   string // failed or erroneous cases, and why
	}{
		"promoted":        {seedPromoted(), ""},
		"held":            {lobbyHeld(), ""},
		"nothing to do":   {fixtures()["nothing-to-do"], ""},
		"undecided":       {skippedOnly, ""},
		"share":           {byShare(), "50 %: failure FAIL_SHARE"},
		"pause":           {byPause(), "10 %: failure FAIL_CEILING"},
		"query":           {byQuery(), "10 %: failure FAIL_METRIC"},
		"crash":           {byCrash(), "50 %: failure CRASH_LOOP"},
		"sticky":          {bySticking(), "50 %: error INVALID_STICKY"},
		"aborted":         {aborted(), "baseline: failure FAIL_ERRORS"},
		"interrupted":     {interrupted(), "25 %: error CANCELLED"},
		"rollback failed": {rollbackFailed(), "50 %: failure CRASH_LOOP"},
		"refused":         {refused(), "run: failure PREFLIGHT"},
		"drift":           {drifted, "run: failure DRIFT"},
		"running":         {running(), "80 %: error UNFINISHED"},
		"starting":        {seed(), "run: error UNFINISHED"},
		"between":         {between, "run: error UNFINISHED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var document struct {
				Suites []struct {
					Cases []junitCase `xml:"testcase"`
				} `xml:"testsuite"`
			}
			require.NoError(t, xml.Unmarshal(junit(t, c.record, "1.0.0"), &document))
			var red []string
			for _, one := range document.Suites[0].Cases {
				if one.Failure != nil {
					red = append(red, one.Name+": failure "+one.Failure.Type)
					require.NotEmpty(t, one.Failure.Message)
				}
				if one.Error != nil {
					red = append(red, one.Name+": error "+one.Error.Type)
					require.NotEmpty(t, one.Error.Message)
				}
			}
			require.Equal(t, c.want, strings.Join(red, ", "))
		})
	}
}

// TestJUnitSaysWhy: the figures that decided, what pods said, and how it was put right.
func TestJUnitSaysWhy(t *testing.T) {
	t.Parallel()
	text := string(junit(t, byCrash(), "1.0.0"))
	require.Contains(t, text, `<failure type="CRASH_LOOP" message="1 of 1 canary pods crashes.">`)
	require.Contains(t, text, "pod new-nginx-5f7d-x2sjz: CRASH_LOOP: back-off 10s restarting failed container=new-nginx")
	require.Contains(t, text, "the state before the rollout is back: 1 stable + 0 canary pods</failure>")
	require.Contains(t, text, `<testcase name="80 %" classname="l4-canary.default.nginx" time="0.000">`+"\n      "+`<skipped message="not reached">`)
	require.Contains(t, text, `<property name="reason" value="CRASH_LOOP"></property>`)

	text = string(junit(t, byShare(), "1.0.0"))
	require.Contains(t, text, "80/TCP: 431 flows, observed 25.1 % (19.1 – 31.7), expected 50 %, lost none, p50 / p99 ms stable 0.81 / 3.1, canary 0.84 / 3.3")

	failed := string(junit(t, rollbackFailed(), "1.0.0"))
	require.Contains(t, failed, "the rollback stopped at 0 stable + 1 canary pods: scaling deployment &#34;old-nginx&#34; to 1: forbidden")

	r := refused()
	r.Message = "first thing\nsecond thing"
	require.Contains(t, string(junit(t, r, "1.0.0")), ">first thing&#xA;second thing</failure>", "all of them, a line each")
}

// FuzzJUnit: whatever a pod, a registry or a file says, the document stays one that readers take.
func FuzzJUnit(f *testing.F) {
	seeds(f)
	for _, text := range []string{"]]>", "<![CDATA[", "[[ATTACHMENT|/etc/passwd]]", "[\u202e[ATTACHMENT|/etc/passwd]]", "\x00\x01", "\ufffe", "\U0001fffe", "&#0;", "\xed\xa0\x80"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := byCrash()
		r.Message, r.Namespace, r.Service, r.Reason = text, text, text, rollout.Reason(text)
		r.Stable.Images, r.Release, r.Troubles[0].Message, r.Rollback.Err = []string{text}, text, text, text
		last := &r.Stages[1]
		last.Detail, last.Reason, last.Name, last.Port, last.Samples = text, rollout.Reason(text), text, "80/"+text, 1
		last.Queries = []rollout.QueryRecord{{Query: rollout.Query{Name: text}}}
		requireJUnit(t, junit(t, r, text))
	})
}

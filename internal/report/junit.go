package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/org/l4-canary/internal/rollout"
)

// JUnit writes the report of a run, finished or not, as the XML that Jenkins, GitLab and others
// read: the run is a suite, each stage a case. A run that ended badly without a failed stage,
// and one without any stage, has a case of its own, so that no reader takes it for one that
// passed. The same record gives the same bytes.
//
// The elements and attributes are those that Jenkins' schema knows:
// https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd
func JUnit(w io.Writer, record *rollout.Record, version string) error {
	p, err := reread(record, version)
	if err != nil {
		return err
	}
	if _, err = io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err = encoder.Encode(p.suites()); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n")
	return err
}

type junitSuites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Time     string   `xml:"time,attr"` // seconds, here and below
	Suite    junitSuite
}

type junitSuite struct {
	XMLName    xml.Name        `xml:"testsuite"`
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr,omitempty"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name      string       `xml:"name,attr"`
	Class     string       `xml:"classname,attr"`
	Time      string       `xml:"time,attr"`
	Skipped   *junitResult `xml:"skipped"`
	Error     *junitResult `xml:"error"`
	Failure   *junitResult `xml:"failure"`
	SystemOut string       `xml:"system-out,omitempty"`
}

// junitResult is why a case did not pass.
type junitResult struct {
	Type    string `xml:"type,attr,omitempty"` // the reason code
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// suites is the whole document.
func (p page) suites() junitSuites {
	suite := junitSuite{Name: plain(p.Namespace + "/" + p.Service), Properties: p.properties(), Time: inSeconds(p.lasted())}
	if !p.StartedAt.IsZero() {
		suite.Timestamp = p.StartedAt.UTC().Format("2006-01-02T15:04:05")
	}
	suite.Cases = p.cases()
	for _, c := range suite.Cases {
		suite.Tests++
		switch {
		case c.Failure != nil:
			suite.Failures++
		case c.Error != nil:
			suite.Errors++
		case c.Skipped != nil:
			suite.Skipped++
		}
	}
	return junitSuites{Name: "l4-canary", Tests: suite.Tests, Failures: suite.Failures, Errors: suite.Errors, Time: suite.Time, Suite: suite}
}

// lasted is how long the run took, or has taken so far: no clock is asked.
func (p page) lasted() time.Duration {
	if took := p.FinishedAt.Sub(p.StartedAt); !p.FinishedAt.IsZero() && took > 0 {
		return took
	}
	var sum time.Duration
	for _, stage := range p.Stages {
		sum += lasted(stage)
	}
	return sum
}

// lasted is how long a stage took, from its first write to its last flow.
func lasted(s rollout.StageRecord) time.Duration {
	sum := s.Move + value(s.Propagation) + s.Sampling
	if s.After != nil {
		sum += s.After.Took
	}
	return sum
}

func inSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// properties are what a reader filters runs by.
func (p page) properties() []junitProperty {
	var properties []junitProperty
	add := func(name, value string) {
		if value != "" {
			properties = append(properties, junitProperty{name, plain(value)})
		}
	}
	add("outcome", string(p.Outcome))
	add("reason", string(p.Reason))
	add("message", p.Message)
	add("namespace", p.Namespace)
	add("service", p.Service)
	add("mode", p.Mode)
	add("release", p.Release)
	add("stable", p.Stable.Deployment)
	add("stable-images", strings.Join(p.Stable.Images, " "))
	add("stable-replicas", strconv.Itoa(p.Stable.Replicas))
	add("canary", p.Canary.Deployment)
	add("canary-images", strings.Join(p.Canary.Images, " "))
	add("canary-replicas", strconv.Itoa(p.Canary.Replicas))
	add("replicas", strconv.Itoa(p.Replicas))
	add("max-surge", strconv.Itoa(p.MaxSurge))
	add("max-unavailable", strconv.Itoa(p.MaxUnavailable))
	add("removal", p.Removal)
	add("paused-autoscalers", strings.Join(p.Paused, " "))
	add("version", p.version)
	return properties
}

// plain is foreign text on one line that XML can hold and no reader of results acts on: both
// Jenkins and GitLab attach the files that a case names in [[ATTACHMENT|…]].
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if r >= 0xFFFE && r&0xFFFE == 0xFFFE { // not a character, in XML or anywhere
			return -1
		}
		return r
	}, clean(text))
	return strings.ReplaceAll(shorten(text, longestText), "[[", "[ [")
}

// plainly formats text of the program's own with foreign values.
func plainly(format string, values ...any) string {
	return plain(fmt.Sprintf(format, values...))
}

//go:build e2e

package act

import (
	"bufio"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// entry is a line of act's log.
type entry struct {
	Message string   `json:"msg"`
	Job     string   `json:"jobID"`
	Matrix  any      `json:"matrix"`
	Stage   string   `json:"stage"` // "Main" or "Post"
	StepID  []string `json:"stepID"`
	Command string   `json:"command"` // of the runner, such as "set-output"
	Name    string   `json:"name"`
	Value   string   `json:"arg"`
	Content string   `json:"content"` // of a summary
	Step    string   `json:"stepResult"`
	Result  string   `json:"jobResult"`
	Raw     bool     `json:"raw_output"` // a line that a step has written itself
}

// log is what a workflow did.
type log []entry

// readLog reads lines of JSON; what is none is kept as a message.
func readLog(t *testing.T, r io.Reader) log {
	t.Helper()
	var all log
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			e = entry{Message: lines.Text()}
		}
		all = append(all, e)
	}
	require.NoError(t, lines.Err())
	return all
}

// String is what a person would have seen.
func (l log) String() string {
	var text strings.Builder
	for _, e := range l {
		text.WriteString(e.Job + "| " + strings.TrimRight(e.Message, "\n") + "\n")
	}
	return text.String()
}

// outputs are those of a job's steps; of two values of one name the last counts.
func (l log) outputs(job string) map[string]string {
	found := map[string]string{}
	for _, e := range l {
		if e.Job == job && e.Command == "set-output" {
			found[e.Name] = e.Value
		}
	}
	return found
}

// summary is the last one that a job wrote.
func (l log) summary(job string) string {
	var last string
	for _, e := range l {
		if e.Job == job && e.Command == "summary" {
			last = e.Content
		}
	}
	return last
}

// results are how the jobs ended: "success", "failure", nothing for one that was skipped.
func (l log) results() map[string]string {
	found := map[string]string{}
	for _, e := range l {
		if e.Result != "" {
			found[e.Job] = e.Result
		}
	}
	return found
}

// written are the lines that a job's steps wrote.
func (l log) written(job string) string {
	var text strings.Builder
	for _, e := range l {
		if e.Job == job && e.Raw {
			text.WriteString(e.Message)
		}
	}
	return text.String()
}

// wrote are the lines that one step wrote, which is known by its id or else by its place
// in the job, from 0; what its post step wrote is not among them.
func (l log) wrote(job, step string) string {
	var text strings.Builder
	for _, e := range l {
		if e.Job == job && e.Raw && e.Stage == "Main" && slices.Equal(e.StepID, []string{step}) {
			text.WriteString(e.Message)
		}
	}
	return text.String()
}

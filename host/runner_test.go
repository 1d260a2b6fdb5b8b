package host_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// TestMain makes the test binary the program that the action downloads or builds, where
// it is called so.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "l4-canary" {
		os.Exit(program())
	}
	os.Exit(m.Run())
}

// step is one inner step of the composite action.
type step struct {
	Name, ID, If, Shell, Run string
	Env                      map[string]string
}

// runner does with the action what a GitHub runner does with a composite one.
type runner struct {
	action    string // the checkout's folder host
	temp      string // RUNNER_TEMP
	inputs    map[string]string
	env       []string // of the job
	steps     []step
	outputs   map[string]map[string]string // by step
	cancelled bool
}

// newRunner has a checkout of the action: what is in this folder, and checksums unless
// they are empty.
func newRunner(t *testing.T, checksums string) *runner {
	t.Helper()
	r := &runner{
		action: filepath.Join(t.TempDir(), "host"), temp: t.TempDir(),
		inputs: map[string]string{}, outputs: map[string]map[string]string{},
	}
	require.NoError(t, os.Mkdir(r.action, 0o755))
	for _, name := range []string{"action.yml", "l4-canary.sh"} {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(r.action, name), data, 0o644))
	}
	if checksums != "" {
		require.NoError(t, os.WriteFile(filepath.Join(r.action, "checksums.txt"), []byte(checksums), 0o644))
	}
	data, err := os.ReadFile("action.yml")
	require.NoError(t, err)
	var action struct {
		Inputs map[string]struct{ Default string }
		Runs   struct{ Steps []step }
	}
	require.NoError(t, yaml.Unmarshal(data, &action))
	for name, input := range action.Inputs {
		r.inputs[name] = input.Default
	}
	r.steps = action.Runs.Steps
	return r
}

// ended is how a step ended.
type ended struct {
	skipped bool
	status  int
	log     string
	pid     int // of the process that the runner started
	said    *said
}

// run carries a step out, if its condition holds.
func (r *runner) run(t *testing.T, number int) ended {
	t.Helper()
	p := r.start(t, number)
	if p == nil {
		return ended{skipped: true}
	}
	return p.wait(t)
}

// process is a step that runs.
type process struct {
	*exec.Cmd
	log             strings.Builder
	record, outputs string
	runner          *runner
	step            step
}

// start begins a step as a runner does: its text in a file of its own, given to the shell
// that it asks for. It returns nil where the condition does not hold.
func (r *runner) start(t *testing.T, number int) *process {
	t.Helper()
	s := r.steps[number]
	require.Equal(t, "sh", s.Shell)
	switch s.If {
	case "${{ !cancelled() }}":
		if r.cancelled {
			return nil
		}
	case "${{ always() }}":
	default:
		t.Fatalf("step %q has condition %q, which this runner does not know", s.Name, s.If)
	}
	files := t.TempDir()
	p := &process{runner: r, step: s, record: filepath.Join(files, "record.json"), outputs: filepath.Join(files, "outputs")}
	script := filepath.Join(files, "script.sh")
	require.NoError(t, os.WriteFile(script, []byte(s.Run), 0o644))
	require.NoError(t, os.WriteFile(p.outputs, nil, 0o644))
	shell, err := exec.LookPath("sh")
	require.NoError(t, err)
	p.Cmd = exec.CommandContext(t.Context(), shell, "-e", script)
	p.Dir = t.TempDir() // the workspace
	p.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "RUNNER_TEMP=" + r.temp, "GITHUB_ACTION_PATH=" + r.action, "GITHUB_OUTPUT=" + p.outputs,
		"GITHUB_ACTION=__org_l4-canary_host", "RECORD=" + p.record,
	}, r.env...)
	for name, value := range s.Env {
		p.Env = append(p.Env, name+"="+r.evaluate(t, value))
	}
	p.Stdout, p.Stderr = &p.log, &p.log
	require.NoError(t, p.Start())
	return p
}

var expression = regexp.MustCompile(`^\$\{\{ (?:inputs|steps\.([a-z]+)\.outputs)\.([a-z-]+) \}\}$`)

// evaluate knows the two kinds of expressions that the action has.
func (r *runner) evaluate(t *testing.T, text string) string {
	t.Helper()
	match := expression.FindStringSubmatch(text)
	require.NotNil(t, match, "expression %s", text)
	if match[1] != "" {
		return r.outputs[match[1]][match[2]]
	}
	value, known := r.inputs[match[2]]
	require.True(t, known, "input %s", match[2])
	return value
}

// wait is for the step's end.
func (p *process) wait(t *testing.T) ended {
	t.Helper()
	if err := p.Wait(); err != nil {
		_, exited := errors.AsType[*exec.ExitError](err)
		require.True(t, exited, err)
	}
	e := ended{status: p.ProcessState.ExitCode(), log: p.log.String(), pid: p.Process.Pid}
	t.Logf("%s: exit %d\n%s", p.step.Name, e.status, e.log)
	data, err := os.ReadFile(p.outputs)
	require.NoError(t, err)
	outputs := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		outputs[name] = value
	}
	p.runner.outputs[p.step.ID] = outputs
	if data, err = os.ReadFile(p.record); err == nil {
		e.said = &said{}
		require.NoError(t, json.Unmarshal(data, e.said))
	}
	return e
}

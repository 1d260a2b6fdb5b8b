package host_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/executable"
)

// hostile would be run, or would end a value, where one is pasted into a script.
const hostile = "a'b\"c $(touch injected) `touch injected` ${{ inputs.command }} \\\n::error::x\n; touch injected"

// shop serves a release's files and counts what was asked for.
func shop(t *testing.T, files map[string][]byte) (url string, asked *atomic.Int32) {
	t.Helper()
	asked = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		data, found := files[r.URL.Path]
		if !found {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data) // the client may go
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

// TestRelease: a released action downloads its program once, becomes it in both steps, and
// every input arrives as it was written.
func TestRelease(t *testing.T) {
	t.Parallel()
	data := archive(t, "l4-canary")
	r := newRunner(t, checksums(data))
	url, asked := shop(t, map[string][]byte{"/v1.2.3/l4-canary_v1.2.3_" + platform() + ".tar.gz": data})
	r.env = []string{"CANARY_RELEASES=" + url}
	r.inputs["probe"], r.inputs["namespace"] = hostile, hostile

	first := r.run(t, 0)
	require.Zero(t, first.status)
	require.NotNil(t, first.said)
	require.Equal(t, first.pid, first.said.PID, "the process that the runner signals is the program")
	require.Empty(t, first.said.Arguments, "then it goes by the input command")
	require.Equal(t, hostile, first.said.Env["INPUT_PROBE"])
	require.Equal(t, "run", first.said.Env["INPUT_COMMAND"])
	require.Equal(t, "25%", first.said.Env["INPUT_MAX_SURGE"])

	second := r.run(t, 1)
	require.Zero(t, second.status)
	require.NotNil(t, second.said)
	require.Equal(t, second.pid, second.said.PID)
	require.Equal(t, []string{"post"}, second.said.Arguments)
	require.Equal(t, hostile, second.said.Env["INPUT_NAMESPACE"])
	require.Equal(t, "__org_l4-canary_host", second.said.Env["L4_CANARY_STEP"], "the name of the step that ran")
	require.Equal(t, int32(1), asked.Load())
	left, err := filepath.Glob(filepath.Join(r.temp, "l4-canary", "*"))
	require.NoError(t, err)
	require.Len(t, left, 1, "the archive is gone")
}

// TestReleaseByWget is a runner without curl.
func TestReleaseByWget(t *testing.T) {
	t.Parallel()
	data := archive(t, "l4-canary")
	r := newRunner(t, checksums(data))
	url, _ := shop(t, map[string][]byte{"/v1.2.3/l4-canary_v1.2.3_" + platform() + ".tar.gz": data})
	curl, err := exec.LookPath("curl")
	require.NoError(t, err)
	tools := toolbox(t, nil)
	tool(t, tools, "wget", `[ "$1 $2" = "-q -O" ] && exec "`+curl+`" -sfo "$3" "$4"`)
	r.env = []string{"CANARY_RELEASES=" + url, "PATH=" + tools}
	first := r.run(t, 0)
	require.Zero(t, first.status)
	require.NotNil(t, first.said)
}

// TestBrokenRelease: what does not fit is not run, nothing is left of it, and the second
// step has nothing to do.
func TestBrokenRelease(t *testing.T) {
	t.Parallel()
	data := archive(t, "l4-canary")
	name := "/v1.2.3/l4-canary_v1.2.3_" + platform() + ".tar.gz"
	other := archive(t, "something-else")
	tests := []struct {
		name, checksums string
		served          []byte
		says            string
	}{
		{"other bytes", checksums(data), append([]byte{0}, data...), "it is not run"},
		{"half of it", checksums(data), data[:len(data)/2], "it is not run"},
		{"nothing there", checksums(data), nil, "downloading "},
		{"another platform", strings.ReplaceAll(checksums(data), platform(), "plan9_arm"), data, "has no line for"},
		{"no program in it", checksums(other), other, "unpacking l4-canary_v1.2.3_" + platform() + ".tar.gz failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, tt.checksums)
			files := map[string][]byte{name: tt.served}
			if tt.served == nil {
				delete(files, name)
			}
			url, _ := shop(t, files)
			r.env = []string{"CANARY_RELEASES=" + url}
			first := r.run(t, 0)
			require.Equal(t, 2, first.status, "nothing was changed")
			require.Contains(t, first.log, "::error title=l4-canary::")
			require.Contains(t, first.log, tt.says)
			require.Nil(t, first.said)
			left, err := filepath.Glob(filepath.Join(r.temp, "l4-canary", "*"))
			require.NoError(t, err)
			require.Empty(t, left)
			second := r.run(t, 1)
			require.Zero(t, second.status)
			require.Contains(t, second.log, "nothing to finish")
			require.Nil(t, second.said)
		})
	}
}

// TestPlatforms: the names that machines give themselves, and those that have no program.
func TestPlatforms(t *testing.T) {
	t.Parallel()
	tests := []struct{ kernel, machine, says string }{
		{"Linux", "x86_64", "/v1.2.3/l4-canary_v1.2.3_linux_amd64.tar.gz"},
		{"Linux", "aarch64", "/v1.2.3/l4-canary_v1.2.3_linux_arm64.tar.gz"},
		{"Darwin", "arm64", "no released program for Darwin: use a Linux runner"},
		{"Linux", "riscv64", "no released program for riscv64"},
		{"MINGW64_NT-10.0", "x86_64", "no released program for MINGW64_NT-10.0"},
	}
	var lines strings.Builder
	for _, name := range []string{"linux_amd64", "linux_arm64"} {
		lines.WriteString(strings.Repeat("0", 64) + "  l4-canary_v1.2.3_" + name + ".tar.gz\n")
	}
	for _, tt := range tests {
		t.Run(tt.kernel+" "+tt.machine, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, lines.String())
			url, _ := shop(t, nil)
			tools := toolbox(t, []string{"curl"})
			tool(t, tools, "uname", `case $1 in -s) echo `+tt.kernel+` ;; -m) echo `+tt.machine+` ;; esac`)
			r.env = []string{"CANARY_RELEASES=" + url, "PATH=" + tools}
			first := r.run(t, 0)
			require.Equal(t, 2, first.status)
			require.Contains(t, first.log, tt.says)
		})
	}
}

// TestSource: a checkout is built, whatever the job says of Go for its own code.
func TestSource(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	r := newRunner(t, "")
	tools := toolbox(t, []string{"cp", "pwd"})
	// The arguments are: build -trimpath -buildvcs=false -o PROGRAM ./cmd/action
	tool(t, tools, "go", `[ "$1 $6" = "build ./cmd/action" ] && [ -z "$GOOS$GOFLAGS$GOARCH" ] && [ "$CGO_ENABLED" = 0 ] || exit 1
pwd >"$RECORD.folder"
mkdir -p "${5%/*}" && cp "`+self+`" "$5"`)
	r.env = []string{"PATH=" + tools, "GOOS=windows", "GOARCH=386", "GOFLAGS=-mod=mod"}
	first := r.run(t, 0)
	require.Zero(t, first.status)
	require.NotNil(t, first.said)
	require.Equal(t, first.pid, first.said.PID)
	require.Equal(t, "windows", first.said.Env["GOOS"], "the program sees the job's environment")
	second := r.run(t, 1)
	require.NotNil(t, second.said)
	require.Equal(t, []string{"post"}, second.said.Arguments)
}

func TestSourceCannotBeBuilt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ golang, says string }{
		"no Go":       {"", "put actions/setup-go with go-version 1.26 before this step, or use a release"},
		"old Go":      {`echo 'go: go.mod requires go >= 1.26' >&2; exit 1`, "building l4-canary failed"},
		"broken file": {`echo 'syntax error' >&2; exit 1`, "building l4-canary failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, "")
			tools := toolbox(t, nil)
			if tt.golang != "" {
				tool(t, tools, "go", tt.golang)
			}
			r.env = []string{"PATH=" + tools}
			first := r.run(t, 0)
			require.Equal(t, 2, first.status)
			require.Contains(t, first.log, "::error title=l4-canary::")
			require.Contains(t, first.log, tt.says)
			second := r.run(t, 1)
			require.Zero(t, second.status)
			require.Contains(t, second.log, "nothing to finish: the program never began")
		})
	}
}

// TestCancel: the runner's signal reaches the program at once, its status comes back, and
// the second step runs all the same.
func TestCancel(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			data := archive(t, "l4-canary")
			r := newRunner(t, checksums(data))
			url, _ := shop(t, map[string][]byte{"/v1.2.3/l4-canary_v1.2.3_" + platform() + ".tar.gz": data})
			waits := filepath.Join(t.TempDir(), "waits")
			r.env = []string{"CANARY_RELEASES=" + url, "WAIT=" + waits}
			p := r.start(t, 0)
			require.Eventually(t, func() bool { _, err := os.Stat(waits); return err == nil }, time.Minute, 10*time.Millisecond)
			r.cancelled = true
			require.NoError(t, p.Process.Signal(signal)) // to this process alone, as a runner does
			first := p.wait(t)
			require.Equal(t, 130, first.status)
			require.Contains(t, first.log, "got "+signal.String())
			second := r.run(t, 1)
			require.Zero(t, second.status)
			require.NotNil(t, second.said)
			require.Equal(t, "__org_l4-canary_host", second.said.Env["L4_CANARY_STEP"])
		})
	}
	t.Run("before it began", func(t *testing.T) {
		t.Parallel()
		r := newRunner(t, "")
		r.cancelled = true
		require.True(t, r.run(t, 0).skipped)
		second := r.run(t, 1)
		require.Zero(t, second.status)
		require.Contains(t, second.log, "nothing to finish")
	})
}

// TestUsage: the script is not for people, and says so.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, arguments := range [][]string{{}, {"deploy"}} {
		cmd := exec.CommandContext(t.Context(), "sh", append([]string{"l4-canary.sh"}, arguments...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "RUNNER_TEMP=" + t.TempDir()}
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Equal(t, 2, cmd.ProcessState.ExitCode())
		require.Contains(t, string(out), "usage: l4-canary.sh run or post")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "l4-canary.sh", "run")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "the host action needs a runner")
}

// toolbox is a folder with what the script needs on every machine, and some more.
func toolbox(t *testing.T, more []string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range append([]string{"sh", "dirname", "uname", "grep", "mkdir", "mktemp", "mv", "rm", "tar", "gzip", "sha256sum"}, more...) {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(dir, name)))
	}
	return dir
}

// tool puts a program of our own into a toolbox, in place of the machine's.
func tool(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.RemoveAll(path))
	require.NoError(t, executable.Write(path, "#!/bin/sh\n"+text+"\n"))
}

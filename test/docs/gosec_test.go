//go:build e2e

package docs

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

var golangci = flag.String("golangci", "golangci-lint", "the linter that make lint installs")

// linter is the checkout itself, which the linter reads.
func linter(t *testing.T, _ *harness.Lab) *scene {
	t.Helper()
	s := newScene(t)
	s.dir = s.root
	s.env = append(s.env, "TMPDIR="+t.TempDir()) // where it locks out others, such as an editor's
	s.program(t, "golangci-lint", *golangci)
	return s
}

// explained: all that gosec finds is in the page's table, with the reason why it stays, and
// the table has nothing else.
func explained(t *testing.T, s *scene, b Block) {
	t.Helper()
	said := s.bash(t, 1, b.Script)
	require.NoError(t, explains(s.read(t, b.Document), said))
}

var (
	finding = regexp.MustCompile(`(?m)^(\S+\.go):\d+:\d+: (G\d+): `)
	rule    = regexp.MustCompile(`G\d+`)
)

// explains holds a page against what a linter says of rules and files.
func explains(page, said string) error {
	rows := map[string]string{}
	for line := range strings.Lines(page) {
		if cells := strings.Split(line, "|"); len(cells) == 5 {
			for _, name := range rule.FindAllString(cells[1], -1) {
				rows[name] = cells[2]
			}
		}
	}
	var problems []error
	found := map[string]bool{}
	for _, m := range finding.FindAllStringSubmatch(said, -1) {
		file, name := m[1], m[2]
		found[name] = true
		where := rows[name]
		if !strings.Contains(where, filepath.Base(file)) && !strings.Contains(where, filepath.Dir(file)+"`") && !everywhere[name] {
			problems = append(problems, fmt.Errorf("%s in %s is not in the table", name, file))
		}
	}
	for name := range rows {
		if !found[name] {
			problems = append(problems, fmt.Errorf("%s is in the table, and nothing has it", name))
		}
	}
	if len(found) == 0 {
		problems = append(problems, errors.New("nothing was found"))
	}
	return errors.Join(problems...)
}

// everywhere are rules that the page explains by what is done, and not by where.
var everywhere = map[string]bool{"G404": true}

// TestExplains: a finding without a reason is one, and so is a reason without a finding.
func TestExplains(t *testing.T) {
	t.Parallel()
	const page = "| rule | where | why |\n|---|---|---|\n| G115, numbers | `internal/probe`, `sample.go` | bounded |\n| G301, G302, permissions | [files.go](x) | no secret |\n"
	const all = "internal/probe/dns.go:1:2: G115: x (gosec)\ncmd/action/sample.go:9:1: G115: x\ninternal/ci/files.go:3:4: G301: x\ninternal/ci/files.go:4:4: G302: x\n"
	require.NoError(t, explains(page, all))
	require.EqualError(t, explains(page, all+"internal/kube/live.go:3:4: G115: x\n"), "G115 in internal/kube/live.go is not in the table")
	require.EqualError(t, explains(page, all+"internal/ci/files.go:3:4: G999: x\n"), "G999 in internal/ci/files.go is not in the table")
	require.EqualError(t, explains(page, strings.ReplaceAll(all, "G302", "G301")), "G302 is in the table, and nothing has it")
	require.ErrorContains(t, explains("", "0 issues.\n"), "nothing was found")
}

// released is the one block that is not run: it asks GitHub what it has attested of a
// release, and no release is there to be asked for. The workflow that makes one does as the
// block says with what it has published, before anybody can get it by a name that moves: it
// has to know the block's flags, and be the workflow that the block names.
func released(t *testing.T, s *scene, b Block) {
	t.Helper()
	const path = ".github/workflows/release.yml"
	data, err := os.ReadFile(filepath.Join(s.root, path))
	require.NoError(t, err)
	workflow := string(data)
	require.Contains(t, workflow, "gh attestation verify")
	require.Equal(t, 2, strings.Count(b.Script, "--signer-workflow org/l4-canary/"+path))
	flags := regexp.MustCompile(`--[a-z-]+`).FindAllString(b.Script, -1)
	require.NotEmpty(t, flags)
	for _, name := range flags {
		require.Contains(t, workflow, name)
	}
}

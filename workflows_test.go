package canary_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

var (
	used   = regexp.MustCompile(`(?m)^\s*(?:- )?uses: *(\S+)(.*)$`)
	pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
	tagged = regexp.MustCompile(`^ # v\d+(\.\d+)*$`)
)

// unpinned lists what a workflow uses by a name that can be moved.
func unpinned(text string) []string {
	var problems []string
	for _, match := range used.FindAllStringSubmatch(text, -1) {
		action, comment := match[1], match[2]
		own := isAction(action) || strings.HasPrefix(action, promotes)
		if !own && (!pinned.MatchString(action) || !tagged.MatchString(comment)) {
			problems = append(problems, fmt.Sprintf("%s%s is not pinned by its commit, with the version behind it", action, comment))
		}
	}
	return problems
}

// rights lists the jobs of a workflow that have more or other rights than it says.
func rights(t *testing.T, text string) []string {
	t.Helper()
	var document struct {
		Permissions map[string]string
		Jobs        map[string]struct {
			Permissions map[string]string
			Uses        string
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(text), &document))
	var problems []string
	if document.Permissions == nil || len(document.Permissions) > 0 {
		problems = append(problems, "the workflow begins with rights: permissions: {}")
	}
	for name, job := range document.Jobs {
		if job.Permissions == nil && job.Uses == "" {
			problems = append(problems, "job "+name+" does not say which rights it has")
		}
	}
	return problems
}

// step is one of a job's, as far as others could have a say in it.
type step struct {
	Uses, Run string
	With      map[string]any
}

// hazards lists what would let the text of others act in a workflow, or leave them a token.
func hazards(t *testing.T, text string) []string {
	t.Helper()
	var document struct {
		Jobs map[string]struct{ Steps []step }
	}
	require.NoError(t, yaml.Unmarshal([]byte(text), &document))
	var problems []string
	for _, trigger := range []string{"pull_request_target", "workflow_run", "issue_comment"} {
		if strings.Contains(text, trigger+":") {
			problems = append(problems, trigger+" runs with rights on what others wrote")
		}
	}
	for name, job := range document.Jobs {
		for _, s := range job.Steps {
			if strings.Contains(s.Run, "${{") {
				problems = append(problems, "job "+name+" writes a value into a script: let it come by env")
			}
			if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
				problems = append(problems, "job "+name+" leaves its token in the checkout: persist-credentials: false")
			}
		}
	}
	return problems
}

// TestWorkflows: actions of others are pinned by commits, and every job has the rights
// that it names and no more.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	workflows, err := filepath.Glob(".github/workflows/*.yml")
	require.NoError(t, err)
	require.Contains(t, workflows, ".github/workflows/release.yml")
	for _, path := range workflows {
		require.Empty(t, rights(t, read(t, path)), path)
		require.Empty(t, hazards(t, read(t, path)), path)
	}
	for _, path := range append(workflows, examples(t)...) {
		require.Empty(t, unpinned(read(t, path)), path)
	}
}

// TestWrongWorkflows shows that the checks can fail.
func TestWrongWorkflows(t *testing.T) {
	t.Parallel()
	commit := strings.Repeat("0123456789", 4)
	require.Empty(t, unpinned("      - uses: a/b@"+commit+" # v1.2\n      - uses: ./\n        uses: org/l4-canary/host@v1\n    uses: "+promotes+"v1\n"))
	for _, line := range []string{"a/b@v1", "a/b@" + commit, "a/b@" + commit[1:] + " # v1", "a/b@" + commit + " # main", "docker://a@sha256:1"} {
		require.Len(t, unpinned("      - uses: "+line+"\n"), 1, line)
	}
	const job = "jobs: {a: {permissions: {}}}\n"
	require.Empty(t, rights(t, "permissions: {}\n"+job))
	require.Len(t, rights(t, job), 1)
	require.Len(t, rights(t, "permissions: {contents: write}\n"+job), 1)
	require.Len(t, rights(t, "permissions: {}\njobs: {a: {}, b: {uses: x}}\n"), 1)

	const begin = "permissions: {}\njobs: {a: {steps: ["
	require.Empty(t, hazards(t, begin+"{run: echo, uses: a}, {uses: actions/checkout@v1, with: {persist-credentials: false}}]}}\n"))
	require.Len(t, hazards(t, begin+"{uses: actions/checkout@v1}]}}\n"), 1)
	require.Len(t, hazards(t, begin+"{run: 'echo ${{ inputs.version }}'}]}}\n"), 1)
	require.Len(t, hazards(t, "on:\n  pull_request_target:\njobs: {}\n"), 1)
}

// TestReleaseRefusesPins: a release looks for the mark of what is not pinned yet, and its own
// line is none. A base of the image has that mark or a digest.
func TestReleaseRefusesPins(t *testing.T) {
	t.Parallel()
	release := read(t, ".github/workflows/release.yml")
	found := regexp.MustCompile(`grep -rn '([^']+)' \.github Dockerfile host;`).FindStringSubmatch(release)
	require.NotNil(t, found, "release.yml does not look for marks")
	mark := regexp.MustCompile(found[1])
	require.True(t, mark.MatchString("  image: a/b:1 # PIN"))
	for _, path := range []string{".github/workflows/release.yml", ".github/workflows/ci.yml", ".github/workflows/promote.yml"} {
		require.False(t, mark.MatchString(read(t, path)), path)
	}
	image := read(t, "Dockerfile")
	bases := regexp.MustCompile(`(?m)^ARG \w+_IMAGE=(\S+)$`).FindAllStringSubmatch(image, -1)
	require.Len(t, bases, 2)
	for _, base := range bases {
		require.True(t, mark.MatchString(image) || strings.Contains(base[1], "@sha256:"), base[1])
	}
}

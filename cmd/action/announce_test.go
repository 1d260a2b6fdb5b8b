package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/rollout"
)

// announced is a journal of a job of pull request 7, and everything that it prints and
// writes.
type announced struct {
	*journal

	forge  *forge
	stdout *bytes.Buffer
	dir    string
}

func newAnnounced(ctx context.Context, t *testing.T, kind string, faces config.Faces) *announced {
	t.Helper()
	a := &announced{forge: &forge{kind: kind}, stdout: &bytes.Buffer{}, dir: t.TempDir()}
	env := a.forge.serve(t.Cleanup)
	env["GITHUB_STEP_SUMMARY"], env["GITHUB_OUTPUT"] = filepath.Join(a.dir, "summary"), filepath.Join(a.dir, "output")
	c := &Command{Stdout: a.stdout, Stderr: a.stdout, Getenv: func(name string) string { return env[name] }, Dir: a.dir}
	faces.GitHubToken, faces.JobSummary = forgeToken, true
	faces.ReportJSON, faces.ReportMarkdown, faces.OutputsFile = "report.json", "report.md", "outputs.env"
	a.journal = c.newJournal(ctx, faces, nil)
	return a
}

// told waits for a comment that says something.
func (a *announced) told(t *testing.T, text string) string {
	t.Helper()
	var found string
	require.Eventually(t, func() bool {
		for _, body := range a.forge.said() {
			if strings.Contains(body, text) {
				found = body
				return true
			}
		}
		return false
	}, 20*time.Second, 5*time.Millisecond, "no comment says %q", text)
	return found
}

func running(stages ...string) *rollout.Record {
	record := &rollout.Record{
		Namespace: "web", Service: "nginx", StartedAt: time.Unix(1_700_000_000, 0).UTC(),
		Stable: rollout.Side{Deployment: "old-nginx"}, Canary: rollout.Side{Deployment: "new-nginx"},
	}
	for _, name := range stages {
		record.Stages = append(record.Stages, rollout.StageRecord{Name: name})
	}
	return record
}

// TestStagedComment: the comment tells where a run stands, then how it ended, and the
// token is in nothing that the program prints or writes.
func TestStagedComment(t *testing.T) {
	t.Parallel()
	a := newAnnounced(t.Context(), t, "pull-request", config.Faces{Comment: "auto"})
	a.comment.context = "prod"
	record := running("baseline")
	a.Save(record)
	body := a.told(t, "⏳ Running at baseline")
	require.Contains(t, body, "\n<!-- l4-canary-writing:7/1/deploy/__org_l4-canary/runner-1 -->\n"+
		"<!-- l4-canary:acme%2Flobby%2F.github%2Fworkflows%2Frelease.yml/deploy/prod/web/nginx -->\n")
	record.Stages = append(record.Stages, rollout.StageRecord{Name: "50"})
	a.Save(record) // it is overtaken by how the run ended
	record.Outcome, record.Reason = rollout.Promoted, rollout.ReasonPass
	a.finish(t.Context(), record, ExitOK)
	a.lastWords(t.Context())
	require.Len(t, a.forge.said(), 1)
	last := a.forge.said()[0]
	require.Contains(t, last, "✅ Promoted")
	require.NotContains(t, last, "l4-canary-writing")

	written := a.stdout.String()
	require.Equal(t, 1, strings.Count(written, "::add-mask::"+forgeToken+"\n"))
	written = strings.ReplaceAll(written, "::add-mask::"+forgeToken+"\n", "") + last
	entries, err := os.ReadDir(a.dir)
	require.NoError(t, err)
	require.Len(t, entries, 5)
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(a.dir, entry.Name()))
		require.NoError(t, err)
		written += string(data)
	}
	require.NotContains(t, written, forgeToken)
}

// TestCommentOfAStoppedRun: who is told to stop has a second for it, whatever the forge
// does, and says that nobody could be told.
func TestCommentOfAStoppedRun(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{"pull-request": "", "silent": "not done within 1s"} {
		ctx, cancel := context.WithCancel(t.Context())
		a := newAnnounced(ctx, t, kind, config.Faces{Comment: "auto"})
		record := running("baseline", "25")
		cancel()
		record.Outcome, record.Reason = rollout.Interrupted, rollout.ReasonCancelled
		a.finish(ctx, record, ExitInterrupted)
		began := time.Now()
		a.lastWords(ctx)
		require.Less(t, time.Since(began), 3*time.Second)
		if want == "" {
			require.Contains(t, a.forge.said()[0], "⏹️ Interrupted at 25\u00a0%")
			continue
		}
		require.Contains(t, a.stdout.String(), want)
		require.Equal(t, 1, strings.Count(a.stdout.String(), "::warning"))
	}
}

// TestSilentForge: a run goes on as if there were none.
func TestSilentForge(t *testing.T) {
	t.Parallel()
	a := newAnnounced(t.Context(), t, "silent", config.Faces{Comment: "auto"})
	began := time.Now()
	for range 20 {
		record := running("baseline")
		a.decided = 0
		a.Save(record)
	}
	require.Less(t, time.Since(began), 10*time.Second) // twenty reports are written
	a.comment.board.Stop()
}

// TestWorthAComment: which ends are told, and which make a new comment.
func TestWorthAComment(t *testing.T) {
	t.Parallel()
	type answer struct{ tell, create bool }
	for name, row := range map[string]struct {
		outcome rollout.Outcome
		reason  rollout.Reason
		stages  int
		code    ExitCode
		want    map[string]answer
	}{
		"promoted":    {rollout.Promoted, rollout.ReasonPass, 3, ExitOK, map[string]answer{"auto": {true, true}, "always": {true, true}, "on-failure": {true, false}}},
		"rolled back": {rollout.RolledBack, rollout.ReasonFailShare, 3, ExitFailed, map[string]answer{"auto": {true, true}, "always": {true, true}, "on-failure": {true, true}}},
		"by hand":     {rollout.RolledBack, rollout.ReasonPass, 0, ExitOK, map[string]answer{"auto": {true, true}, "on-failure": {true, false}}},
		"refused":     {rollout.Refused, rollout.ReasonPreflight, 0, ExitUsage, map[string]answer{"auto": {true, true}, "on-failure": {true, true}}},
		"locked":      {rollout.Refused, rollout.ReasonLocked, 0, ExitUsage, map[string]answer{"auto": {}, "always": {}, "on-failure": {}}},
		"superseded":  {rollout.Refused, rollout.ReasonSuperseded, 0, ExitUsage, map[string]answer{"auto": {}, "always": {}}},
		"nothing":     {rollout.NothingToDo, rollout.ReasonPass, 0, ExitOK, map[string]answer{"auto": {false, true}, "always": {true, true}}},
		"at once":     {rollout.Interrupted, rollout.ReasonCancelled, 0, ExitInterrupted, map[string]answer{"auto": {true, false}, "on-failure": {true, false}}},
		"half way":    {rollout.Interrupted, rollout.ReasonCancelled, 2, ExitInterrupted, map[string]answer{"auto": {true, true}, "on-failure": {true, true}}},
	} {
		for mode, want := range row.want {
			a := &announcer{mode: mode}
			tell, create := a.worth(&rollout.Record{Outcome: row.outcome, Reason: row.reason, Stages: make([]rollout.StageRecord, row.stages)}, row.code)
			require.Equal(t, want.tell, tell, "%s, %s", name, mode)
			if tell {
				require.Equal(t, want.create, create, "%s, %s", name, mode)
			}
		}
	}
}

// TestCommentOfAnotherRun: a rollback goes on with the comment of the run that it undoes,
// from whichever workflow.
func TestCommentOfAnotherRun(t *testing.T) {
	t.Parallel()
	record := running()
	run, back := &announcer{}, &announcer{}
	run.follow(kube.Holder{Run: "7", Workflow: "acme/lobby/.github/workflows/release.yml", Job: "canary"})
	back.follow(kube.Holder{Run: "9", Workflow: "acme/lobby/.github/workflows/rollback.yml", Job: "back"})
	mine, _ := back.key(record)
	theirs, ok := run.key(record)
	require.True(t, ok)
	require.NotEqual(t, theirs, mine)
	back.follow(kube.Holder{}) // a Lease that a machine of somebody held
	back.follow(kube.Holder{Run: "7", Workflow: "acme/lobby/.github/workflows/release.yml", Job: "canary"})
	mine, _ = back.key(record)
	require.Equal(t, theirs, mine)

	_, ok = run.key(&rollout.Record{Namespace: "web"})
	require.False(t, ok, "the Service is not known")
	run.given = "mine"
	_, ok = run.key(&rollout.Record{})
	require.True(t, ok)
}

// TestTakenOver: the comment belongs to who took over, also where nobody is known to have.
func TestTakenOver(t *testing.T) {
	t.Parallel()
	for _, reason := range []rollout.Reason{rollout.ReasonTakenOver, rollout.ReasonUnreachable} {
		a := newAnnounced(t.Context(), t, "pull-request", config.Faces{Comment: "auto", CommentKey: "x"})
		record := running("baseline")
		a.Save(record)
		a.told(t, "Running")
		const theirs = "rolled back by hand\n<!-- l4-canary:x -->\n"
		a.forge.mu.Lock()
		a.forge.comments[0] = theirs
		a.forge.mu.Unlock()
		record.Outcome, record.Reason = rollout.Stopped, reason
		a.finish(t.Context(), record, ExitFailed)
		a.lastWords(t.Context())
		require.Equal(t, []string{theirs}, a.forge.said())
	}
}

// TestPostOfARefusedRollback: a post step that cannot roll back does not say that nothing
// was changed.
func TestPostOfARefusedRollback(t *testing.T) {
	t.Parallel()
	a := newAnnounced(t.Context(), t, "pull-request", config.Faces{Comment: "auto", CommentKey: "x"})
	a.Save(running("baseline", "25"))
	a.told(t, "Running at 25\u00a0%")
	a.comment.sweeps()
	a.last, a.code = &rollout.Record{Outcome: rollout.Refused, Reason: rollout.ReasonUnreachable}, ExitUnreachable
	a.lastWords(t.Context())
	body := a.forge.said()[0]
	require.True(t, strings.HasPrefix(body, "### ⏹️ Cut off"), body)
	require.Contains(t, body, "Running at 25\u00a0%")
	require.NotContains(t, body, "l4-canary-writing")
}

// TestLongComment: a report of any length becomes a comment that a forge takes.
func TestLongComment(t *testing.T) {
	t.Parallel()
	a := &announcer{link: linkTo("https://github.com/acme/lobby/actions/runs/7", "GitHub")}
	text := a.text([]byte(strings.Repeat("a line\n\n", 20_000)))
	require.Less(t, len(text), 60_000)
	require.Greater(t, len(text), 50_000)
	require.Contains(t, text, "The rest is left out here")
	require.True(t, strings.HasSuffix(text, "(https://github.com/acme/lobby/actions/runs/7)</sub>\n"))
}

func TestLink(t *testing.T) {
	t.Parallel()
	require.Equal(t, "\n<sub>[The log and the summary of the job](https://gitlab.example/acme/lobby/-/jobs/9)</sub>\n", linkTo("https://gitlab.example/acme/lobby/-/jobs/9", "GitLab"))
	for _, url := range []string{"", "//actions/runs/7", "https://x/y)<img>", "javascript:alert(1)", "https://x/y\nz"} {
		require.Empty(t, linkTo(url, "GitHub"), url)
	}
	require.Empty(t, linkTo("https://gitea.example/acme/lobby/actions/runs/7", "Gitea"))
}

// TestSilentAnnouncer: nil is one that says nothing.
func TestSilentAnnouncer(t *testing.T) {
	t.Parallel()
	var a *announcer
	a.at(connection{})
	a.follow(kube.Holder{Run: "7"})
	a.sweeps()
	a.show(running("baseline"), nil)
	j := &journal{}
	j.lastWords(t.Context())
	require.Nil(t, j.comment)
}

package report

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// saying is a run of which everything that others can write says one text.
func saying(text string) *rollout.Record {
	r := byCrash()
	r.Message, r.Namespace, r.Service, r.Reason = text, text, text, rollout.Reason(text)
	r.Stable.Deployment, r.Canary.Deployment = text, text+"-canary"
	r.Stable.Images, r.Canary.Images = []string{text, ""}, []string{text}
	r.Addresses, r.Mode, r.Release, r.Removal, r.ShareGate = []string{text}, text, text, text, text
	r.Learned = []rollout.Learned{{Port: text, Words: text}, {Port: text, Why: text}}
	r.Troubles[0].Pod, r.Troubles[0].Message, r.Troubles[0].Side, r.Troubles[0].Reason = text, text, probe.Version(text), rollout.Reason(text)
	r.Rollback.Err, r.KeptPod, r.Notices = text, text, []string{text, text}
	r.Held = &rollout.HeldRecord{
		Open: 1, Ports: []rollout.HeldPort{{Port: text, Asked: 2, Open: 1, Failure: text}},
		Stages: []rollout.HeldStage{{Stage: text, Cut: 1}}, Ends: []rollout.HeldEnd{{Stage: text, Port: text, Version: probe.Version(text), Pod: text, How: probe.Ending(text), Cut: true}},
	}
	stage := judged(passed(text, 80, 1, 4, sampled(text, 10, 30, 80)), rollout.Verdict(text), rollout.Reason(text), text)
	stage.Ports[0].Addresses = []rollout.AddressCount{{Address: text}, {Address: text + "2"}}
	stage.Ports[0].Pods = []rollout.PodCount{{Pod: text, Version: probe.Version(text), Flows: 3}}
	stage.Queries = []rollout.QueryRecord{{Query: rollout.Query{Name: text, Expr: text, Max: new(1.0)}, Asked: 2, Labels: text, Trouble: text}}
	r.Stages = append(r.Stages, stage)
	return r
}

// outcomes are all ends of a run: each has sentences of its own.
func outcomes() []rollout.Outcome {
	return []rollout.Outcome{
		rollout.Promoted, rollout.Held, rollout.RolledBack, rollout.Stopped, rollout.Aborted, rollout.Refused,
		rollout.RollbackFailed, rollout.Interrupted, rollout.NothingToDo, "",
	}
}

// spans are what Markdown shows as it stands.
var spans = regexp.MustCompile("`[^`\n]*`")

// FuzzMarkdown: whatever everybody says, a page keeps its shape: tables have their columns,
// fences and details end, nothing of a text is a link, an image, a mention, HTML or an order
// to a runner, and the page is text of bounded length, the same each time.
func FuzzMarkdown(f *testing.F) {
	for i, text := range []string{
		evil, "", "a\n\n# b\n\n| c | d |\n|:--|:--|\n", "```\n</details>", "~~~", "::error::x\n\n::error::y", "](javascript:x)", "![x](y)", "@octocat #1 GH-1",
		"<script>", "-->", "\"]\n  bar [1]\n%%{init: {}}%%", "$$x$$", "[^1]: x", "&#60;b&#62;", "\\|", "50", "1e300", "\u202e\u2028\x1b[31m", "\xff", "    code", "1. x", "- [ ] x",
	} {
		f.Add(text, uint8(i))
	}
	f.Fuzz(func(t *testing.T, text string, how uint8) {
		r := saying(text)
		r.Outcome = outcomes()[int(how)%len(outcomes())]
		page := markdown(t, r, text)
		require.True(t, utf8.Valid(page))
		require.NotContains(t, string(page), "\x1b")
		require.Less(t, len(page), 200_000)
		requireBalanced(t, page)
		requireTables(t, string(page))
		require.Equal(t, string(page), string(markdown(t, r, text)))
		short := Limit(page, 3000)
		require.LessOrEqual(t, len(short), 3000)
		requireBalanced(t, short)
	})
}

// requireTables fails for a row with another number of cells than its head, and for a line
// that acts.
func requireTables(t *testing.T, page string) {
	t.Helper()
	columns, fence := 0, ""
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		if fence = fenceAfter(fence, strings.TrimSpace(line)); fence != "" {
			continue
		}
		require.NotRegexp(t, `^\s*(::|\[[^\]]*\]:)`, line)
		outside := spans.ReplaceAllString(line, "")
		require.NotContains(t, strings.Trim(outside, "`"), "`", "%q", line)
		for _, harm := range []string{"<script", "](javascript", "@octocat", "![", "##[", "<img", "$$"} {
			require.NotContains(t, outside, harm, "%q", line)
		}
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		if columns > 0 {
			require.Equal(t, columns, strings.Count(line, "|"), "%q", line)
		}
		columns = strings.Count(line, "|")
	}
	require.Empty(t, fence)
}

// FuzzJSON: what was written is what is read again, whoever said it, and a reader in between
// loses nothing.
func FuzzJSON(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "\ufffd") // JSON has no other text
		var first, second bytes.Buffer
		require.NoError(t, JSON(&first, saying(text), "1.0.0"))
		require.True(t, json.Valid(first.Bytes()))
		record, version, err := FromJSON(bytes.NewReader(first.Bytes()))
		require.NoError(t, err)
		require.Equal(t, "1.0.0", version)
		require.NoError(t, JSON(&second, record, version))
		require.Equal(t, first.String(), second.String())
		require.Equal(t, text, record.Message)
		require.Equal(t, text, record.Stages[len(record.Stages)-1].Detail)
	})
}

// FuzzWord: a word of a shell line is one word, and says what it is to say.
func FuzzWord(f *testing.F) {
	seeds(f)
	for _, text := range []string{"$(reboot)", "a b", "it's", "'", "''", "-n", "a;b", "\\'"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted := word(text)
		inOneLine(t, quoted)
		if plainName.MatchString(quoted) {
			require.Equal(t, clean(text), quoted)
			return
		}
		inner, begins := strings.CutPrefix(quoted, "'")
		inner, ends := strings.CutSuffix(inner, "'")
		require.True(t, begins && ends)
		require.NotContains(t, strings.ReplaceAll(inner, `'\''`, ""), "'")
		require.Equal(t, clean(text), strings.ReplaceAll(inner, `'\''`, "'"))
	})
}

package metric_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/metric"
	"github.com/org/l4-canary/internal/rollout"
)

func TestParse(t *testing.T) {
	t.Parallel()
	queries, err := metric.Parse(`
- name: reset connections
  expr: |
    sum(rate(lobby_resets_total{namespace="{{namespace}}", pod=~"{{ canary }}-[a-z0-9]+-[a-z0-9]+"}[1m]))
  max: 0.5
  for: 30s
- {name: sessions, expr: 'lobby_sessions{app="{{stable}}"}', min: -1e3, max: 5000, for: 0}
- {name: up, expr: min(up), min: 1}
`)
	require.NoError(t, err)
	number := func(v float64) *float64 { return &v }
	require.Equal(t, []rollout.Query{
		{
			Name: "reset connections", Max: number(0.5), For: 30 * time.Second, NamesCanary: true,
			Expr: `sum(rate(lobby_resets_total{namespace="{{namespace}}", pod=~"{{ canary }}-[a-z0-9]+-[a-z0-9]+"}[1m]))`,
		},
		{Name: "sessions", Expr: `lobby_sessions{app="{{stable}}"}`, Min: number(-1000), Max: number(5000), NamesStable: true},
		{Name: "up", Expr: "min(up)", Min: number(1)},
	}, queries)

	filled := metric.Fill(queries, metric.Names{Canary: "lobby-green", Stable: "lobby-blue", Namespace: "game", Service: "lobby"})
	require.Equal(t, `sum(rate(lobby_resets_total{namespace="game", pod=~"lobby-green-[a-z0-9]+-[a-z0-9]+"}[1m]))`, filled[0].Expr)
	require.Equal(t, `lobby_sessions{app="lobby-blue"}`, filled[1].Expr)
	require.Contains(t, queries[1].Expr, "{{stable}}", "what was parsed is left as it is")
}

// TestParseProblems: every message names the query, the value and what is allowed.
func TestParseProblems(t *testing.T) {
	t.Parallel()
	const list = `it has to be a list of queries, each with the keys name, expr, min, max and for, such as "- {name: errors, expr: sum(rate(errors_total[1m])), max: 0.5}"`
	for text, want := range map[string]string{
		"":                                         list,
		"errors":                                   list,
		"[]":                                       list,
		"{name: a, expr: b, max: 1}":               list,
		"- errors":                                 "query 1: it has to be a mapping, with the keys name, expr, min, max and for",
		"- {expr: up, min: 1}":                     `query 1: key "name" is missing: what it is called in reports`,
		"- {name: 7, expr: up, min: 1}":            "query 1: name is 7: it has to be a text, so put it in quotes",
		`- {name: "a\nb", expr: up, min: 1}`:       `query 1: name is "a\nb": allowed are up to 63 printable characters`,
		"- {name: a, min: 1}":                      `query "a": key "expr" is missing: a query in PromQL`,
		"- {name: a, expr: '  ', min: 1}":          `query "a": key "expr" is missing: a query in PromQL`,
		"- {name: a, expr: 1, min: 1}":             `query "a": expr is 1: it has to be a text, so put it in quotes`,
		"- {name: a, expr: up}":                    `query "a": min and max are both missing: write one of them, or both`,
		"- {name: a, expr: up, maximum: 3}":        "query \"a\": key \"maximum\" is unknown: allowed are name, expr, min, max and for\nquery \"a\": min and max are both missing: write one of them, or both",
		"- {name: a, expr: up, max: }":             `query "a": key "max" has no value`,
		"- {name: a, expr: up, max: NaN}":          `query "a": max is "NaN": it has to be a finite number`,
		"- {name: a, expr: up, max: '5'}":          `query "a": max is "5": it has to be a finite number`,
		"- {name: a, expr: up, max: 5%}":           `query "a": max is "5%": it has to be a finite number`,
		"- {name: a, expr: up, max: 1e999}":        `query "a": max is "1e999": it has to be a finite number`,
		"- {name: a, expr: up, max: .nan}":         "it is not YAML that can be read: a number in it is .nan or .inf, and bounds have to be finite",
		"- {name: a, expr: up, min: -.inf}":        "it is not YAML that can be read: a number in it is .nan or .inf, and bounds have to be finite",
		"- {name: a, expr: up, min: 2, max: 1}":    `query "a": min is 2 and max is 1: no value could be within`,
		"- {name: a, expr: up, max: 1, for: 30}":   `query "a": for is 30: it has to be a duration such as 30s or 2m, or 0s`,
		"- {name: a, expr: up, max: 1, for: soon}": `query "a": for is "soon": it has to be a duration such as 30s or 2m, or 0s`,
		"- {name: a, expr: up, max: 1, for: -1s}":  `query "a": for is "-1s": it has to be a duration such as 30s or 2m, or 0s`,
		"- {name: a, expr: up, max: 1}\n- {name: a, expr: up, max: 2}": `query "a": there is another one of that name`,
		"- {name: a, expr: 'up{{{canari}}}', max: 1}":                  `query "a": expr: placeholder "{{canari}}" is unknown: allowed are {{canary}}, {{stable}}, {{namespace}} and {{service}}`,
		"- {name: a, expr: 'up{a=\"{{canary\"}', max: 1}":              `query "a": expr: two braces in a row are a placeholder, and here is none: allowed are {{canary}}, {{stable}}, {{namespace}} and {{service}}`,
		"- {name: a, expr: 'up{a=\"${{ env.X }}\"}', max: 1}":          `query "a": expr: placeholder "{{ env.X }}" is unknown: allowed are {{canary}}, {{stable}}, {{namespace}} and {{service}}`,
		"- {name: a, name: b, expr: up, max: 1}":                       "it is not YAML that can be read: ",
		"- {name: a, expr: \tup":                                       "it is not YAML that can be read: ",
		"- name: a\n  expr: up\n  max: 1\n-  name: b\n   expr: up":     `query "b": min and max are both missing: write one of them, or both`,
	} {
		_, err := metric.Parse(text)
		require.Error(t, err, text)
		if strings.HasSuffix(want, ": ") {
			require.ErrorContains(t, err, want, text)
			continue
		}
		require.EqualError(t, err, want, text)
	}
}

// TestParseLimits: what would be too much for a table, a request or a server.
func TestParseLimits(t *testing.T) {
	t.Parallel()
	_, err := metric.Parse("- {name: " + strings.Repeat("n", 64) + ", expr: up, max: 1}")
	require.ErrorContains(t, err, "allowed are up to 63 printable characters")
	_, err = metric.Parse("- {name: a, max: 1, expr: '" + strings.Repeat("x", 10_001) + "'}")
	require.EqualError(t, err, `query "a": expr has 10001 bytes: allowed are 10000`)
	_, err = metric.Parse(strings.Repeat("- {name: a, expr: up, max: 1}\n", 51))
	require.EqualError(t, err, "it holds 51 queries: allowed are 50")
	_, err = metric.Parse("- {name: a, expr: up, max: '" + strings.Repeat("9", 500) + "'}")
	require.Less(t, len(err.Error()), 250, "a wrong value is cut")
}

func TestIsYAML(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"- {name: a}", "- name: a\n  max: 1", "[]", "name: a"} {
		require.True(t, metric.IsYAML(text), text)
	}
	for _, text := range []string{"queries.yaml", "k8s/queries.yml", "-", ""} {
		require.False(t, metric.IsYAML(text), text)
	}
}

// FuzzParse: nothing panics, and what is let through can be asked and judged.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"- {name: a, expr: up, max: 1}", "- {name: a, expr: 'x{{canary}}', min: 1, max: 2, for: 1m}", "- .nan", "a: [", "- {name: a, expr: '{{', max: 1e400}",
		"&a [*a]", "- {name: a, expr: up, max: 0x7fffffff}", "\x00", "- {name: \"\u202e\", expr: up, max: 1}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		queries, err := metric.Parse(text)
		if err != nil {
			require.Empty(t, queries)
			require.NotEmpty(t, err.Error())
			return
		}
		require.NotEmpty(t, queries)
		seen := map[string]bool{}
		for _, q := range metric.Fill(queries, metric.Names{Canary: "c", Stable: "s", Namespace: "n", Service: "v"}) {
			require.NotEmpty(t, q.Name)
			require.False(t, seen[q.Name])
			seen[q.Name] = true
			require.NotContains(t, q.Expr, "{{")
			require.GreaterOrEqual(t, q.For, time.Duration(0))
			require.False(t, q.Min == nil && q.Max == nil)
			for _, bound := range []*float64{q.Min, q.Max} {
				require.False(t, bound != nil && (math.IsNaN(*bound) || math.IsInf(*bound, 0)))
			}
		}
	})
}

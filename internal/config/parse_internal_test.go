package config

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseSteps(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]Step{
		"100":             {{Weight: 100}},
		"10,25,50,100":    {{Weight: 10}, {Weight: 25}, {Weight: 50}, {Weight: 100}},
		"0.0001, 99.9999": {{Weight: 0.0001}, {Weight: 99.9999}},
		"10%,25%:5m":      {{Weight: 10}, {Weight: 25, Pause: 5 * time.Minute}},
		"50:0s\n100":      {{Weight: 50}, {Weight: 100}},
		"12.5000":         {{Weight: 12.5}},
		"10,,20,":         {{Weight: 10}, {Weight: 20}},
	} {
		steps, allowed := parseSteps(text)
		require.Empty(t, allowed, text)
		require.Equal(t, want, steps, text)
	}
}

func TestBound(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text             string
		replicas, up, to int
	}{
		{"25%", 10, 3, 2}, {"25%", 1, 1, 0}, {"25%", 4, 1, 1}, {"0%", 10, 0, 0}, {"100%", 3, 3, 3},
		{"1%", 100, 1, 1}, {"1%", 101, 2, 1}, {"3", 10, 3, 3}, {"0", 1, 0, 0}, {"200%", 2, 4, 4},
	}
	for _, tt := range tests {
		bound, ok := parseBound(tt.text)
		require.True(t, ok, tt.text)
		require.Equal(t, tt.text, bound.String())
		require.Equal(t, tt.up, bound.Resolve(tt.replicas, true), "%s of %d, up", tt.text, tt.replicas)
		require.Equal(t, tt.to, bound.Resolve(tt.replicas, false), "%s of %d, down", tt.text, tt.replicas)
	}
	for _, wrong := range []string{"", "%", "-1", "+1", "1.5", "25 percent", "99999999999999999999", "100001", "١"} {
		_, ok := parseBound(wrong)
		require.False(t, ok, wrong)
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"STEP", "STEPS", 1}, {"SRUGE", "SURGE", 1}, {"KITTEN", "SITTING", 3}} {
		require.Equal(t, tt.want, distance(tt.a, tt.b), tt)
		require.Equal(t, tt.want, distance(tt.b, tt.a), tt)
	}
}

func FuzzParseSteps(f *testing.F) {
	for _, seed := range []string{"auto", "10,25:5m,100", "50,20", "0.0001", "1e3", "25:-5m", "NaN", "100%", "10,25:5m:5m"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		steps, allowed := parseSteps(text)
		if allowed != "" {
			require.Nil(t, steps)
			return
		}
		require.NotEmpty(t, steps)
		last := 0.0
		for _, step := range steps {
			require.Greater(t, step.Weight, last)
			require.LessOrEqual(t, step.Weight, 100.0)
			require.GreaterOrEqual(t, step.Pause, time.Duration(0))
			last = step.Weight
		}
	})
}

func FuzzParseBound(f *testing.F) {
	for _, seed := range []string{"1", "25%", "-1", "%", "1.5", "9999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		bound, ok := parseBound(text)
		if !ok {
			return
		}
		again, ok := parseBound(bound.String())
		require.True(t, ok)
		require.Equal(t, bound, again)
		up, down := bound.Resolve(7, true), bound.Resolve(7, false)
		require.GreaterOrEqual(t, down, 0)
		require.LessOrEqual(t, up-down, 1)
	})
}

func FuzzUnescape(f *testing.F) {
	for _, seed := range []string{`PING\r\n`, `\x00\xff`, `\\`, `\`, `\x`, `\xg0`, "plain"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		data, ok := unescape(text)
		if !strings.Contains(text, `\`) {
			require.True(t, ok)
			require.True(t, bytes.Equal([]byte(text), data))
		}
		if !ok {
			require.Nil(t, data)
			return
		}
		require.LessOrEqual(t, len(data), len(text), "an escape is longer than its byte")
		again, ok := unescape(strings.ReplaceAll(string(data), `\`, `\\`))
		require.True(t, ok)
		require.True(t, bytes.Equal(data, again), "%q is %q", text, data)
	})
}

// FuzzParseRun feeds every input with the same foreign text: nothing may panic, and a
// duration or number that is let through lies within its bounds.
func FuzzParseRun(f *testing.F) {
	for _, seed := range []string{"", "auto", "off", "5m", "-5m", "9999999h", "1e9", "NaN", "25%", "true", "k8s/\n-", "\x00", "::add-mask::x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		flags := map[string]string{}
		for _, input := range ForCommand(CommandRun) {
			flags[input.Name] = text
		}
		values, _, err := Load(CommandRun, flags, func(string) string { return "" }, nil)
		require.NoError(t, err)
		run, err := ParseRun(values)
		if err != nil {
			require.NotContains(t, err.Error(), "input \"kubeconfig\"")
		}
		require.GreaterOrEqual(t, run.Settle, time.Duration(0))
		require.GreaterOrEqual(t, run.Drain.Value, time.Duration(0))
		require.GreaterOrEqual(t, run.Rate, 0.0)
	})
}

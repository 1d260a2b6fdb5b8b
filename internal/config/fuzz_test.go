package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzCommands feeds every input of every other command with the same foreign text: what is
// wrong is told of each input by its name, and never what a secret says.
func FuzzCommands(f *testing.F) {
	for _, seed := range []string{"", "auto", "5m", "25%", "1e9", "NaN", "json", "\x00", "::error::x\n", "[::1]:80", "192.0.2.7", "(", "${A}", strings.Repeat("9", 400)} {
		f.Add(seed)
	}
	parsers := map[string]func(Values) error{
		CommandPlan:     func(v Values) error { _, err := ParsePlan(v); return err },
		CommandSample:   func(v Values) error { _, err := ParseSample(v); return err },
		CommandDoctor:   func(v Values) error { _, err := ParseDoctor(v); return err },
		CommandRollback: func(v Values) error { _, err := ParseRollback(v); return err },
		CommandStatus:   func(v Values) error { _, err := ParseStatus(v); return err },
		CommandPost:     func(v Values) error { _, err := ParsePost(v); return err },
	}
	f.Fuzz(func(t *testing.T, text string) {
		for command, parse := range parsers {
			flags := map[string]string{}
			secret := map[string]bool{}
			for _, input := range ForCommand(command) {
				flags[input.Name] = text
				secret[input.Name] = input.Secret
			}
			values, _, err := Load(command, flags, func(string) string { return "" }, nil)
			require.NoError(t, err)
			if err = parse(values); err == nil {
				continue
			}
			problems, ok := errors.AsType[Problems](err)
			require.True(t, ok, "%T", err)
			for _, problem := range problems {
				require.Contains(t, flags, problem.Input)
				require.Contains(t, problem.String(), problem.Input)
				if secret[problem.Input] {
					require.Empty(t, problem.Value)
				}
			}
		}
	})
}

// FuzzEnvironment: variables of any name and value are an input, a slip that is named, or
// nobody's business; a warning never holds a value.
func FuzzEnvironment(f *testing.F) {
	for _, seed := range []string{"INPUT_NAMESPACE", "INPUT_NAMESPAEC", "L4_CANARY_NOPE", "INPUT_", "L4_CANARY_", "INPUT_MAX-SURGE", "PATH", "=", "INPUT_\xff", "INPUT_max_surge"} {
		f.Add(seed, "a-value-that-is-secret")
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		if strings.ContainsAny(name, "=") || len(value) < 8 || strings.Contains(name, value) {
			return
		}
		getenv := func(asked string) string {
			if asked == name {
				return value
			}
			return ""
		}
		values, warnings, err := Load(CommandRun, nil, getenv, []string{name + "=" + value, "=x", "no-value"})
		require.NoError(t, err)
		for _, warning := range warnings {
			require.NotContains(t, warning, value)
		}
		for _, input := range ForCommand(CommandRun) {
			if values.Given(input.Name) {
				require.Equal(t, strings.TrimSpace(value), values.Get(input.Name))
			}
		}
		_, _ = ActionCommand(getenv)
	})
}

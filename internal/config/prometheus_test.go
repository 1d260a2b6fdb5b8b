package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/config"
)

// TestPrometheus: a server and queries come together, and neither of their secrets is in
// a message.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		given map[string]string
		want  string
	}{
		{map[string]string{"prometheus-queries": "queries.yaml"}, `input "prometheus-url": missing beside input "prometheus-queries": the address of the server that is asked`},
		{map[string]string{"prometheus-url": "http://ci:hunter2@prometheus"}, `input "prometheus-queries": missing beside input "prometheus-url": what is asked there`},
		{map[string]string{"prometheus-token": "hunter2"}, `input "prometheus-url": missing beside input "prometheus-token"`},
	} {
		for command, least := range map[string]map[string]string{"run": leastRun(), "plan": leastPlan()} {
			values := load(t, command, with(least, row.given))
			_, err := config.ParseRun(values)
			if command == "plan" {
				_, err = config.ParsePlan(values)
			}
			require.EqualError(t, err, row.want)
		}
		_, err := config.ParseDoctor(load(t, "doctor", row.given))
		require.EqualError(t, err, row.want)
	}
	all := map[string]string{"prometheus-url": "u", "prometheus-token": "t", "prometheus-queries": "q"}
	options, err := config.ParseDoctor(load(t, "doctor", all))
	require.NoError(t, err)
	require.Equal(t, config.Prometheus{URL: "u", Token: "t", Queries: "q"}, options.Prometheus)
}

package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/config"
)

func TestLoadPrecedence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		flags map[string]string
		env   env
		want  string
		given bool
	}{
		{"default", nil, nil, "5m", false},
		{"own variable", nil, env{"L4_CANARY_STAGE_TIMEOUT": "1m"}, "1m", true},
		{"runner's variable with hyphens", nil, env{"INPUT_STAGE-TIMEOUT": "2m"}, "2m", true},
		{"runner's variable with underscores", nil, env{"INPUT_STAGE_TIMEOUT": "3m"}, "3m", true},
		{"hyphens before underscores", nil, env{"INPUT_STAGE-TIMEOUT": "2m", "INPUT_STAGE_TIMEOUT": "3m"}, "2m", true},
		{"runner's before own", nil, env{"INPUT_STAGE-TIMEOUT": "2m", "L4_CANARY_STAGE_TIMEOUT": "2m"}, "2m", true},
		{"flag before all", map[string]string{"stage-timeout": "4m"}, env{"INPUT_STAGE-TIMEOUT": "2m", "L4_CANARY_STAGE_TIMEOUT": "1m"}, "4m", true},
		{"empty is absent", map[string]string{"stage-timeout": ""}, env{"INPUT_STAGE-TIMEOUT": "", "L4_CANARY_STAGE_TIMEOUT": "1m"}, "1m", true},
		{"white space is absent", map[string]string{"stage-timeout": " "}, env{"INPUT_STAGE-TIMEOUT": "\n", "INPUT_STAGE_TIMEOUT": "\t "}, "5m", false},
		{"values are trimmed", nil, env{"INPUT_STAGE-TIMEOUT": "  2m\n"}, "2m", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			values, warnings, err := config.Load("run", tt.flags, tt.env.get, tt.env.list())
			require.NoError(t, err)
			require.Empty(t, warnings)
			require.Equal(t, tt.want, values.Get("stage-timeout"))
			require.Equal(t, tt.given, values.Given("stage-timeout"))
		})
	}
}

func TestLoadWarnsOfHiddenVariable(t *testing.T) {
	t.Parallel()
	e := env{"INPUT_RATE": "50", "L4_CANARY_RATE": "200"}
	values, warnings, err := config.Load("run", nil, e.get, e.list())
	require.NoError(t, err)
	require.Equal(t, "50", values.Get("rate"))
	require.Equal(t, []string{"L4_CANARY_RATE is ignored: INPUT_RATE says something else and comes first"}, warnings)
}

func TestLoadRefusesForeignInputs(t *testing.T) {
	t.Parallel()
	_, _, err := config.Load("run", map[string]string{"port": "80", "expect": "x"}, env{}.get, nil)
	require.EqualError(t, err, `input "expect": "x" is not allowed: "run" has no such input
input "port": "80" is not allowed: "run" has no such input`)
}

func TestLoadIgnoresInputsOfOtherCommands(t *testing.T) {
	t.Parallel()
	e := env{"INPUT_POD-LOGS": "many", "INPUT_REPLICAS": "10"} // the action passes every input, whatever the command
	values, warnings, err := config.Load("plan", nil, e.get, e.list())
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Empty(t, values.Get("pod-logs"))
	_, err = config.ParsePlan(values)
	require.NoError(t, err)
}

func TestActionCommand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env  env
		want string
	}{
		{env{}, "run"},
		{env{"INPUT_COMMAND": "plan"}, "plan"},
		{env{"L4_CANARY_COMMAND": "plan"}, "plan"},
	} {
		got, err := config.ActionCommand(tt.env.get)
		require.NoError(t, err)
		require.Equal(t, tt.want, got)
	}
	_, err := config.ActionCommand(env{"INPUT_COMMAND": "deploy"}.get)
	require.EqualError(t, err, `input "command": "deploy" is not allowed: allowed are run, plan, doctor, rollback and status`)
}

func TestTypos(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		environ []string
		want    []string
	}{
		{"letter missing", []string{"INPUT_STEP=10"}, []string{"INPUT_STEP is not an input: did you mean INPUT_STEPS?"}},
		{"letters swapped, hyphens kept", []string{"INPUT_MAX-SRUGE=1"}, []string{"INPUT_MAX-SRUGE is not an input: did you mean INPUT_MAX_SURGE?"}},
		{"own prefix, near", []string{"L4_CANARY_MANIFEST=k8s"}, []string{"L4_CANARY_MANIFEST is not an input: did you mean L4_CANARY_MANIFESTS?"}},
		{"own prefix, far", []string{"L4_CANARY_WEATHER=fine"}, []string{"L4_CANARY_WEATHER is not an input: it is ignored"}},
		{"someone else's input", []string{"INPUT_GO-VERSION=1.26", "INPUT_NAME=x", "INPUT_TOKEN=t", "INPUT_PATH=p", "INPUT_REF=r"}, nil},
		{"right names", []string{"INPUT_STEPS=10", "INPUT_MAX-SURGE=1", "INPUT_MAX_SURGE=1", "L4_CANARY_MAX_SURGE=1"}, nil},
		{"other variables", []string{"STEP=1", "PATH=/bin", "INPUT_=x", "", "=C:=x"}, nil},
		{"values stay hidden", []string{"L4_CANARY_KUBECONFG=secret"}, []string{"L4_CANARY_KUBECONFG is not an input: did you mean L4_CANARY_KUBECONFIG?"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, warnings, err := config.Load("run", nil, env{}.get, tt.environ)
			require.NoError(t, err)
			require.Equal(t, tt.want, warnings)
		})
	}
}

package config

import "slices"

// The commands that inputs can belong to. Action is no command of the program:
// it scopes what only the GitHub action needs.
const (
	CommandRun      = "run"
	CommandPlan     = "plan"
	CommandSample   = "sample"
	CommandRollback = "rollback"
	CommandStatus   = "status"
	CommandDoctor   = "doctor"
	CommandPost     = "post" // the action's last word, not for people
	Action          = "action"
)

// Input is one row of the table.
type Input struct {
	Name          string   // kebab-case: the flag, and the source of the variables' names
	Scope         []string // the commands that read it
	Default       string   // empty: none, or found out from the cluster
	ActionDefault string   // where action.yml has another default
	Meaning       string   // of an empty default, for the tables: "found"
	Help          string   // one sentence or two, without a full stop at the end
	Secret        bool     // its value is never printed
}

// In reports whether a command reads the input.
func (i Input) In(command string) bool { return slices.Contains(i.Scope, command) }

// ForCommand are the inputs that a command reads, in the table's order.
func ForCommand(command string) []Input {
	var found []Input
	for _, input := range table() {
		if input.In(command) {
			found = append(found, input)
		}
	}
	return found
}

// ForAction are the inputs of action.yml: all but those of sample alone.
func ForAction() []Input {
	var found []Input
	for _, input := range table() {
		if slices.ContainsFunc(input.Scope, func(s string) bool { return s != CommandSample }) {
			found = append(found, input)
		}
	}
	return found
}

// Output is a named result that the action always sets.
type Output struct {
	Name string
	Help string
}

// Outputs are the results of the action, in the order of the contract.
func Outputs() []Output {
	return []Output{
		{"outcome", "How the run ended: promoted, held, rolled-back, stopped, aborted, refused, rollback-failed, interrupted or nothing-to-do"},
		{"reason", "The one code that explains the outcome, such as PASS or FAIL_SHARE"},
		{"stage", "Weight of the last stage that finished, in percent"},
		{"observed-weight", "Share of sampled new flows that the canary answered in that stage, in percent"},
		{"expected-weight", "Share that its ready pods should have answered, in percent"},
		{"stable-replicas", "Pods of the stable Deployment at the end"},
		{"canary-replicas", "Pods of the canary Deployment at the end"},
		{"report-markdown", "Path of the Markdown report, relative to the workspace"},
		{"report-json", "Path of the JSON report, relative to the workspace"},
	}
}

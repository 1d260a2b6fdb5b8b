// Package config is the one table of inputs: it reads, completes and checks
// them, all problems at once.
//
// The table (table.go) is the only place where an input is described. Flags,
// the INPUT_* and L4_CANARY_* variables, action.yml and the README's tables all
// come from it:
//
//	go test ./internal/config -run Generated -update
//
// Reading goes in two steps. [Load] finds the text of every input of a command
// in flags, environment and defaults. [ParseRun], [ParsePlan] and [ParseSample]
// turn texts into typed options, or into [Problems] that name every input that
// is wrong.
package config

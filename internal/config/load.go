package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Values are the texts of a command's inputs, completed with defaults.
type Values struct {
	command string
	text    map[string]string // by input; absent where there is none
	given   map[string]bool   // by input; false for a default
}

// Load finds every input of a command: a flag first, then INPUT_X-Y or INPUT_X_Y,
// then L4_CANARY_X_Y, then the default. White space around a value is dropped, and
// an empty value counts as absent. flags holds only those that were set; environ
// is the whole environment as KEY=value and serves to find misspelt names. The
// warnings never hold a value. The error is [Problems].
func Load(command string, flags map[string]string, getenv func(string) string, environ []string) (Values, []string, error) {
	v := Values{command: command, text: map[string]string{}, given: map[string]bool{}}
	warnings := typos(environ)
	var problems Problems
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		if !known(command, name) {
			problems = append(problems, Problem{Input: name, Value: flags[name], Allowed: fmt.Sprintf("%q has no such input", command)})
		}
	}
	for _, input := range ForCommand(command) {
		text, given, warning := input.find(flags, getenv)
		if warning != "" {
			warnings = append(warnings, warning)
		}
		if text != "" {
			v.text[input.Name], v.given[input.Name] = text, given
		}
	}
	if len(problems) > 0 {
		return v, warnings, problems
	}
	return v, warnings, nil
}

// Get is the text of an input, empty where there is none.
func (v Values) Get(name string) string { return v.text[name] }

// Given reports whether someone gave the input: it is not merely a default.
func (v Values) Given(name string) bool { return v.given[name] }

// ActionCommand is what the action is asked to do, for a program that was called
// without a command.
func ActionCommand(getenv func(string) string) (string, error) {
	for _, input := range ForCommand(Action) {
		if input.Name != "command" {
			continue
		}
		text, _, _ := input.find(nil, getenv)
		switch text {
		case CommandRun, CommandPlan, CommandRollback, CommandStatus, CommandDoctor:
		default:
			return "", Problems{{Input: input.Name, Value: text, Allowed: "allowed are run, plan, doctor, rollback and status"}}
		}
		return text, nil
	}
	return CommandRun, nil
}

// find is the text of one input, whether it was given, and a warning if a
// variable of ours is hidden by a stronger one that says something else.
func (i Input) find(flags map[string]string, getenv func(string) string) (text string, given bool, warning string) {
	if flag := strings.TrimSpace(flags[i.Name]); flag != "" {
		return flag, true, ""
	}
	own := ownVariable(i.Name)
	fallback := strings.TrimSpace(getenv(own))
	for _, variable := range inputVariables(i.Name) {
		value := strings.TrimSpace(getenv(variable))
		if value == "" {
			continue
		}
		if fallback != "" && fallback != value {
			warning = fmt.Sprintf("%s is ignored: %s says something else and comes first", own, variable)
		}
		return value, true, warning
	}
	if fallback != "" {
		return fallback, true, ""
	}
	return i.Default, false, ""
}

// inputVariables are the names under which runners pass an input: hyphens stay
// in GitHub's, while a shell can only name the second.
func inputVariables(name string) []string {
	upper := "INPUT_" + strings.ToUpper(name)
	if plain := strings.ReplaceAll(upper, "-", "_"); plain != upper {
		return []string{upper, plain}
	}
	return []string{upper}
}

// ownVariable is the name that works in every CI system.
func ownVariable(name string) string {
	return "L4_CANARY_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

func known(command, name string) bool {
	return slices.ContainsFunc(ForCommand(command), func(i Input) bool { return i.Name == name })
}

// SecretVariables are the names under which a secret input can stand in the environment.
func SecretVariables() []string {
	var names []string
	for _, input := range table() {
		if input.Secret {
			names = append(append(names, inputVariables(input.Name)...), ownVariable(input.Name))
		}
	}
	return names
}

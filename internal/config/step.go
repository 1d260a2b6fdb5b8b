package config

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Step is one target weight and the pause after its stage.
type Step struct {
	Weight float64 // percent, above 0 up to 100, at most four decimals
	Pause  time.Duration
}

const stepsAllowed = "weights must rise and lie above 0 and up to 100"

var decimal = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]+)?$`)

// parseSteps reads "10,25:5m,100". With a text that is not allowed, the second
// result says what would be; it is empty otherwise.
func parseSteps(text string) ([]Step, string) {
	var steps []Step
	last := 0.0
	for field := range strings.FieldsFuncSeq(text, isSeparator) {
		step, allowed := parseStep(field)
		if allowed != "" {
			return nil, allowed
		}
		if step.Weight <= last || step.Weight > 100 {
			return nil, stepsAllowed
		}
		last = step.Weight
		steps = append(steps, step)
	}
	if len(steps) == 0 {
		return nil, "auto, or weights separated by commas, such as 10,25:5m,100"
	}
	return steps, ""
}

func isSeparator(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }

// parseStep reads "25" or "25:5m".
func parseStep(field string) (Step, string) {
	number, pause, paused := strings.Cut(field, ":")
	number = strings.TrimSuffix(number, "%")
	if !decimal.MatchString(number) {
		return Step{}, "auto, or weights separated by commas, such as 10,25:5m,100"
	}
	if _, fraction, _ := strings.Cut(number, "."); len(fraction) > 4 {
		return Step{}, "a weight has at most four decimals"
	}
	weight, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return Step{}, stepsAllowed
	}
	step := Step{Weight: weight}
	if paused {
		if step.Pause, err = time.ParseDuration(pause); err != nil || step.Pause < 0 {
			return Step{}, "a pause is a duration such as 30s or 5m"
		}
	}
	return step, ""
}

package cost

import (
	"fmt"
	"strconv"
	"strings"
)

// Answered is how many answers by-hand.sh counted in each stage, from what it printed. An
// answer that was lost, or that names no version, is an error.
func Answered(printed string) ([]int, error) {
	var stages []int
	for line := range strings.Lines(printed) {
		counts, ok := strings.CutPrefix(strings.TrimSpace(line), "answers ")
		if !ok {
			continue
		}
		fields, sum := strings.Fields(counts), 0
		if len(fields)%2 != 0 {
			return nil, fmt.Errorf("%q names no version", line)
		}
		for i := 0; i < len(fields); i += 2 {
			n, err := strconv.Atoi(fields[i+1])
			if err != nil || fields[i] == "lost" {
				return nil, fmt.Errorf("%q: %s answers of %q", line, fields[i+1], fields[i])
			}
			sum += n
		}
		stages = append(stages, sum)
	}
	return stages, nil
}

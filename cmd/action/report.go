package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/org/l4-canary/internal/report"
)

// reportCommand makes the Markdown again from the JSON report.
func (c *Command) reportCommand(code *ExitCode) *cobra.Command {
	return &cobra.Command{
		Use: "report FILE", Short: "Make the Markdown report again from the JSON report",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("report takes the name of one JSON report, and there are %d", len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			*code = ExitUsage
			file, err := os.Open(c.path(args[0]))
			if err != nil {
				return usage(fmt.Errorf("opening the JSON report: %w", err))
			}
			defer func() { _ = file.Close() }() // only read from
			record, by, err := report.FromJSON(file)
			if err != nil {
				return usage(fmt.Errorf("reading %q: %w", args[0], err))
			}
			*code = ExitOK
			return report.Markdown(c.Stdout, record, by)
		},
	}
}

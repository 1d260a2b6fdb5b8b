package kindcluster

import (
	"fmt"
	"io"

	"sigs.k8s.io/kind/pkg/log"
)

// logger writes what kind has to say to people, a line each.
type logger struct{ out io.Writer }

var _ log.Logger = logger{}

func (l logger) Warn(message string)               { l.Info(message) }
func (l logger) Warnf(format string, args ...any)  { l.Infof(format, args...) }
func (l logger) Error(message string)              { l.Info(message) }
func (l logger) Errorf(format string, args ...any) { l.Infof(format, args...) }

// V drops everything above the normal verbosity.
func (l logger) V(level log.Level) log.InfoLogger {
	if level > 0 {
		return log.NoopInfoLogger{}
	}
	return l
}

func (l logger) Info(message string)              { _, _ = fmt.Fprintln(l.out, message) }
func (l logger) Infof(format string, args ...any) { _, _ = fmt.Fprintf(l.out, format+"\n", args...) }
func (l logger) Enabled() bool                    { return true }

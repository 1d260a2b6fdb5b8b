package cost

import (
	"bytes"
	"strings"
	"sync"
	"time"
)

// Log takes what a program prints and notes when each line came. The zero value is
// ready, and is used by one program.
type Log struct {
	mu    sync.Mutex
	lines []line
	rest  []byte // of a line that has not ended
}

type line struct {
	at   time.Time
	text string
}

// Write implements io.Writer.
func (l *Log) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := time.Now()
	l.rest = append(l.rest, data...)
	for {
		text, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(data), nil
		}
		l.lines = append(l.lines, line{at, string(text)})
		l.rest = bytes.Clone(rest)
	}
}

// String is everything that was printed.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, line := range l.lines {
		b.WriteString(line.text + "\n")
	}
	return b.String() + string(l.rest)
}

// Part is what a program did from one heading of its log to the next.
type Part struct {
	Name         string
	Began, Ended time.Time
}

// Preparation is the part before the first heading.
const Preparation = "preparation"

// Parts are a run's, without a gap from its beginning to its end.
func (l *Log) Parts(began, ended time.Time) []Part {
	l.mu.Lock()
	defer l.mu.Unlock()
	parts := []Part{{Name: Preparation, Began: began, Ended: ended}}
	for _, line := range l.lines {
		if name, ok := strings.CutPrefix(line.text, "== "); ok {
			parts[len(parts)-1].Ended = line.at
			parts = append(parts, Part{Name: name, Began: line.at, Ended: ended})
		}
	}
	return parts
}

// has reports whether something happened in the part; what never happened did not.
func (p Part) has(at time.Time) bool { return !at.Before(p.Began) && at.Before(p.Ended) }

// Took is how long it was.
func (p Part) Took() time.Duration { return p.Ended.Sub(p.Began) }

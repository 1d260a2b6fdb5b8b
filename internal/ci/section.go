package ci

import (
	"fmt"
	"sync"
	"time"
)

// sections are GitLab's groups of lines, which a reader can fold: a mark, a carriage
// return and an erased line before and after them. Text of others cannot make any, since
// Foreign leaves neither of these in it.
// https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
type sections struct {
	mu    sync.Mutex
	since int64 // when the first was begun, which tells those of two processes apart
	last  int   // number of the one that was begun last
	open  []int // that are not ended, the innermost last
}

// begin is the line that begins a section and shows its title.
func (s *sections) begin(title string, now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last++; s.last == 1 {
		s.since = now.Unix()
	}
	s.open = append(s.open, s.last)
	return s.mark("start", s.last, now) + title
}

// end is the line that ends the innermost section, empty where none is open.
func (s *sections) end(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) == 0 {
		return ""
	}
	number := s.open[len(s.open)-1]
	s.open = s.open[:len(s.open)-1]
	return s.mark("end", number, now)
}

// mark names a section by numbers: a name may be used only once in a job, and takes no
// blanks.
func (s *sections) mark(what string, number int, now time.Time) string {
	return fmt.Sprintf("section_%s:%d:l4_canary_%d_%d\r\x1b[0K", what, now.Unix(), s.since, number)
}

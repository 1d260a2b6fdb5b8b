// Package ci speaks to the system that runs the job: outputs, summary,
// annotations, groups and masks on GitHub Actions and runners like it, sections
// of the log on GitLab, plain lines everywhere else. It knows nothing of what
// the job does.
//
// Nothing here panics and nothing here is worth failing a deployment for: what
// cannot be written comes back as an error, which callers show as a warning.
package ci

import (
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/sethvargo/go-githubactions"
)

// Options are what a platform is found by.
type Options struct {
	Getenv func(string) string // the process's environment
	Stdout io.Writer           // the job log; workflow commands are lines of it
}

// Platform is the CI system that the process runs in. It may be used from many
// goroutines.
type Platform struct {
	getenv func(string) string
	log    *lines
	github *githubactions.Action // nil elsewhere
	gitlab *sections             // nil elsewhere
}

// New finds the platform: GitHub where GITHUB_ACTIONS is "true" (so do Gitea,
// Forgejo and act), GitLab where GITLAB_CI is, plain otherwise.
func New(o Options) *Platform {
	p := &Platform{getenv: o.Getenv, log: &lines{w: o.Stdout}}
	switch {
	case o.Getenv("GITHUB_ACTIONS") == "true":
		p.github = githubactions.New(
			githubactions.WithWriter(p.log),
			githubactions.WithGetenv(o.Getenv),
		)
	case o.Getenv("GITLAB_CI") == "true":
		p.gitlab = &sections{}
	}
	return p
}

// GitHub reports whether the job runs on GitHub Actions or a runner like it.
func (p *Platform) GitHub() bool { return p.github != nil }

// Mask has every later appearance of a secret starred in the log. Elsewhere
// than on GitHub it does nothing: printing the secret would be the leak.
func (p *Platform) Mask(secret string) {
	if p.github != nil && secret != "" {
		p.github.AddMask(secret)
	}
}

// Group begins a group of log lines, which lasts until EndGroup.
func (p *Platform) Group(name string) {
	if p.github != nil {
		p.github.Group(ForeignLine(name))
		return
	}
	if p.gitlab != nil {
		p.log.print(p.gitlab.begin(ForeignLine(name), time.Now()))
		return
	}
	p.log.print("== " + ForeignLine(name))
}

// EndGroup ends the group that was begun last.
func (p *Platform) EndGroup() {
	if p.github != nil {
		p.github.EndGroup()
	}
	if p.gitlab != nil {
		if line := p.gitlab.end(time.Now()); line != "" {
			p.log.print(line)
		}
	}
}

// Level is how serious an annotation is.
type Level string

// The levels that GitHub shows.
const (
	Notice  Level = "notice"
	Warning Level = "warning"
	Error   Level = "error"
)

// Annotation is a message that GitHub shows on the run's page and, with a File,
// beside the line it is about. Elsewhere it is a line of the log.
type Annotation struct {
	Level   Level
	Title   string // optional
	Message string
	File    string // relative to the workspace, optional
	Line    int    // from 1; 0 if unknown
}

// Annotate shows an annotation. GitHub keeps ten of each level a step.
func (p *Platform) Annotate(a Annotation) {
	if p.github == nil {
		p.log.print(a.plain())
		return
	}
	action, message := p.github.WithFieldsMap(a.fields()), Safe(a.Message)
	switch a.Level {
	case Notice:
		action.Noticef("%s", message)
	case Warning:
		action.Warningf("%s", message)
	case Error:
		action.Errorf("%s", message)
	}
}

// fields are the properties of the workflow command.
func (a Annotation) fields() map[string]string {
	fields := make(map[string]string, 3)
	if a.Title != "" {
		fields["title"] = ForeignLine(a.Title)
	}
	if a.File != "" {
		fields["file"] = ForeignLine(a.File)
		if a.Line > 0 {
			fields["line"] = strconv.Itoa(a.Line)
		}
	}
	return fields
}

// plain is the annotation as one line of text.
func (a Annotation) plain() string {
	line := string(a.Level) + ": "
	if a.File != "" {
		line += ForeignLine(a.File) + ":"
		if a.Line > 0 {
			line += strconv.Itoa(a.Line) + ":"
		}
		line += " "
	}
	if a.Title != "" {
		line += ForeignLine(a.Title) + ": "
	}
	return line + ForeignLine(a.Message)
}

// lines is a log that many goroutines share: each command is one Write, and no
// failure comes back, because go-githubactions panics on one and a closed log
// must not end a deployment half way.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.w.Write(p) // lost with the log itself
	return len(p), nil
}

// print writes a line.
func (l *lines) print(line string) { _, _ = l.Write([]byte(line + "\n")) }

// Log is the job log, for lines of the caller's own: one Write is one line, and
// none can tear a workflow command apart.
func (p *Platform) Log() io.Writer { return p.log }

package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Faces are where a run shows what it does.
type Faces struct {
	PodLogs        int
	JobSummary     bool
	Comment        string // auto, always, on-failure or never
	CommentKey     string // empty: made of where the rollout is
	GitHubToken    string // never to be shown
	ReportMarkdown string // paths; empty: not written
	ReportJSON     string
	ReportJUnit    string
	OutputsFile    string
}

func (r *reader) faces() Faces {
	faces := Faces{
		PodLogs:        r.whole("pod-logs", 0, 10_000),
		JobSummary:     r.truth("job-summary"),
		Comment:        r.choice("comment", "auto", "always", "on-failure", "never"),
		CommentKey:     r.text("comment-key"),
		GitHubToken:    r.text("github-token"),
		ReportMarkdown: r.text("report-markdown"),
		ReportJSON:     r.text("report-json"),
		ReportJUnit:    r.text("report-junit"),
		OutputsFile:    r.text("outputs-file"),
	}
	r.differ(faces.Files())
	return faces
}

// File is an input that names a file to write, and where the name is kept.
type File struct {
	Input string
	Path  *string
}

// Files are the inputs that name files to write, in the table's order.
func (f *Faces) Files() []File {
	return []File{
		{"report-markdown", &f.ReportMarkdown}, {"report-json", &f.ReportJSON}, {"report-junit", &f.ReportJUnit}, {"outputs-file", &f.OutputsFile},
	}
}

// differ checks that each file has a name of its own. What is rejected is not written either.
func (r *reader) differ(files []File) {
	seen := map[string]string{}
	for _, file := range files {
		path := *file.Path
		other := seen[filepath.Clean(path)]
		switch {
		case path == "":
			continue
		case strings.HasSuffix(path, "/"):
			r.reject(file.Input, "the name of a file, and this is one of a directory")
		case other != "":
			r.reject(file.Input, fmt.Sprintf("it must differ from input %q, which names the same file", other))
		default:
			seen[filepath.Clean(path)] = file.Input
			continue
		}
		*file.Path = ""
	}
}

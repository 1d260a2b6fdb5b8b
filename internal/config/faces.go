package config

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
	return Faces{
		PodLogs:        r.whole("pod-logs", 0, 10_000),
		JobSummary:     r.truth("job-summary"),
		Comment:        r.choice("comment", "auto", "always", "on-failure", "never"),
		CommentKey:     r.text("comment-key"),
		GitHubToken:    r.token("github-token"),
		ReportMarkdown: r.text("report-markdown"),
		ReportJSON:     r.text("report-json"),
		ReportJUnit:    r.text("report-junit"),
		OutputsFile:    r.text("outputs-file"),
	}
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

package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/org/l4-canary/internal/rollout"
)

// Markdown writes the report of a run for GitHub, finished or not: the outcome,
// one table, one chart, details. The same record gives the same bytes, and so
// does what FromJSON makes of its JSON.
func Markdown(w io.Writer, record *rollout.Record, version string) error {
	p, err := reread(record, version)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, p.String())
	return err
}

// reread is a record as whoever reads its JSON has it.
func reread(record *rollout.Record, version string) (page, error) {
	var document bytes.Buffer
	if err := JSON(&document, record, version); err != nil {
		return page{}, err
	}
	record, version, err := FromJSON(&document)
	return page{Record: record, version: version}, err
}

// page is the report of a record that came out of its JSON document.
type page struct {
	*rollout.Record
	version string
}

// String joins the sections that have something to say. What decided stands
// before the details, and so survives Limit.
func (p page) String() string {
	var sections []string
	for _, section := range []string{
		p.headline(),
		p.alert(),
		p.reaches(),
		p.facts(),
		p.table(),
		p.troubles(),
		p.queriesThatDecided(),
		p.kept(),
		p.chart(),
		p.rescue(),
		p.learned(),
		p.measurements(),
		p.evidence(),
		p.after(),
		p.queriesAside(),
		p.pods(),
		p.held(),
		p.settings(),
		p.notices(),
		p.byHand(),
		p.footer(),
	} {
		if section != "" {
			sections = append(sections, section)
		}
	}
	return strings.Join(sections, "\n\n") + "\n"
}

// details folds a body away. Markdown inside needs the blank lines.
func details(summary, body string) string {
	if body == "" {
		return ""
	}
	return fmt.Sprintf("<details><summary><b>%s</b></summary>\n\n%s\n\n</details>", summary, body)
}

// footer names the program and both sides.
func (p page) footer() string {
	parts := []string{"l4-canary " + prose(p.version)}
	if images := codes(p.Stable.Images); images != "" {
		parts = append(parts, "stable "+images)
	}
	if images := codes(p.Canary.Images); images != "" {
		parts = append(parts, "canary "+images)
	}
	return "<sub>" + strings.Join(append(parts, "weights govern new flows only"), " · ") + "</sub>"
}

// codes are texts as code spans, at most ten of them.
func codes(texts []string) string {
	const most = 10
	var spans []string
	for i, text := range texts {
		if i == most {
			spans = append(spans, fmt.Sprintf("%d more", len(texts)-most))
			break
		}
		spans = append(spans, code(text))
	}
	return strings.Join(spans, ", ")
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/metric"
	"github.com/org/l4-canary/internal/preflight"
	"github.com/org/l4-canary/internal/rollout"
)

// metrics is what a Prometheus server is asked; without queries nobody is.
type metrics struct {
	queries []rollout.Query // with placeholders
	meter   *metric.Client
}

// metrics reads who is asked what. What must not be shown is starred out of the job log
// from here on. The error is [config.Problems].
func (c *Command) metrics(o config.Prometheus) (metrics, error) {
	if o.URL == "" || o.Queries == "" {
		return metrics{}, nil
	}
	var m metrics
	var problems config.Problems
	server, err := metric.NewServer(o.URL, o.Token, c.Getenv)
	if err == nil {
		m.meter, err = metric.NewClient(server)
	}
	if err != nil {
		problems = append(problems, problemsOf("prometheus-url", err)...)
	}
	c.mask(server.Secrets)
	text := o.Queries
	if !metric.IsYAML(text) {
		data, failed := c.read(text)
		if failed != nil {
			return m, append(problems, problemsOf("prometheus-queries", fmt.Errorf("reading the file of queries: %w", failed))...)
		}
		text = string(data)
	}
	if m.queries, err = metric.Parse(text); err != nil {
		problems = append(problems, problemsOf("prometheus-queries", err)...)
	}
	if problems != nil {
		return metrics{}, problems
	}
	return m, nil
}

// amend adds to the problems of the inputs, if err is none other, what else is wrong. If an
// input is named, nobody asks where it has a problem already.
func amend(err error, input string, more func() config.Problems) error {
	problems, ok := errors.AsType[config.Problems](err)
	known := input != "" && slices.ContainsFunc(problems, func(p config.Problem) bool { return p.Input == input })
	if known || err != nil && !ok {
		return err
	}
	if found := more(); len(found) > 0 {
		return append(problems, found...)
	}
	return err
}

// problemsOf are the lines of an error as problems of an input. A line about the token says so.
func problemsOf(input string, err error) config.Problems {
	var problems config.Problems
	for line := range strings.Lines(err.Error()) {
		of := input
		if rest, token := strings.CutPrefix(line, `input "prometheus-token": `); token {
			of, line = "prometheus-token", rest
		}
		problems = append(problems, config.Problem{Input: of, Allowed: strings.TrimSuffix(line, "\n")})
	}
	return problems
}

// checkMetrics adds to the problems of the inputs those of server and queries.
func (c *Command) checkMetrics(o config.Prometheus, err error) error {
	return amend(err, "", func() config.Problems {
		_, wrong := c.metrics(o)
		more, _ := errors.AsType[config.Problems](wrong)
		return more
	})
}

// measure puts the names of the rollout into the queries.
func (p *prepared) measure() {
	p.options.Queries = metric.Fill(p.metrics.queries, metric.Names{
		Stable: p.roles.Stable.Name, Canary: cmp.Or(p.roles.Canary.Name, p.roles.Stable.Name+"-canary"),
		Namespace: p.record.Namespace, Service: p.record.Service,
	})
}

// tryQueries asks every query once: what a server does not understand, or cannot be
// asked, must not turn up when pods have been moved.
func (p *prepared) tryQueries(ctx context.Context) preflight.Findings {
	const atOnce = 4
	all := make([]preflight.Finding, len(p.options.Queries))
	var asking errgroup.Group
	asking.SetLimit(atOnce)
	for i, query := range p.options.Queries {
		asking.Go(func() error {
			all[i] = p.tryQuery(ctx, query)
			return nil
		})
	}
	_ = asking.Wait() // a finding each, and no error
	var findings preflight.Findings
	for _, finding := range all {
		if finding.Message != "" && !slices.Contains(findings, finding) { // nobody needs to read it once for every query
			findings = append(findings, finding)
		}
	}
	return findings
}

// tryQuery is what is wrong with a query now; nothing has an empty message.
func (p *prepared) tryQuery(ctx context.Context, q rollout.Query) preflight.Finding {
	readings, err := p.metrics.meter.Ask(ctx, q.Expr)
	fresh := p.roles.Fresh || p.options.Mode == rollout.Bootstrap
	switch {
	case errors.Is(err, metric.ErrUnreachable):
		return preflight.Finding{Level: preflight.Error, Message: fmt.Sprintf("input %q: %v", "prometheus-url", err)}
	case err != nil:
		return preflight.Finding{Level: preflight.Error, Message: fmt.Sprintf("input %q: query %q: %v", "prometheus-queries", q.Name, err)}
	case len(readings) == 0 && (fresh || q.NamesCanary && p.resume == nil):
	case len(readings) == 0:
		return preflight.Finding{
			Level: preflight.Warning, Message: fmt.Sprintf("query %q has no data now: a stage in which that stays so fails", q.Name),
			Hint: "a counter that nothing has been counted in has no series: where that means none, add \"or vector(0)\"",
		}
	}
	for _, r := range readings {
		if q.Excess(r.Value) > 0 {
			return preflight.Finding{Level: preflight.Warning, Message: fmt.Sprintf(
				"query %q gives %s now, and allowed is %s: a stage in which that stays so fails", q.Name, r, q.Bounds())}
		}
	}
	return preflight.Finding{}
}

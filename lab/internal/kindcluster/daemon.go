package kindcluster

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/org/l4-canary/lab/internal/cluster"
	"github.com/org/l4-canary/lab/internal/process"
)

// startRegistry starts the registry, points the nodes at it, and waits until it
// answers.
func (p *Provider) startRegistry(ctx context.Context, s *state, workload string) error {
	mirror := p.at(s.Options.Name).mirror()
	if err := os.MkdirAll(filepath.Dir(mirror), 0o755); err != nil {
		return fmt.Errorf("making the mirror's folder: %w", err)
	}
	if err := os.WriteFile(mirror, []byte(mirrorConfig(s.Registry)), 0o644); err != nil {
		return fmt.Errorf("writing the mirror's configuration: %w", err)
	}
	args := []string{"--listen", s.Registry, "--workload", workload}
	if s.Options.Program != "" {
		args = append(args, "--program", s.Options.Program)
	}
	if err := p.start(s, "registry", args...); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, registryWithin)
	defer cancel()
	return awaitHTTP(ctx, "http://"+s.Registry+"/v2/")
}

func (p *Provider) startBalancer(s *state) error {
	args := []string{"--kubeconfig", p.at(s.Options.Name).kubeconfig(cluster.Admin)}
	for _, pool := range s.Pools {
		args = append(args, "--pool", pool.String())
	}
	return p.start(s, "balancer", args...)
}

// start starts this program's command of that name and remembers the process.
func (p *Provider) start(s *state, name string, args ...string) error {
	argv := append([]string{p.Self, name}, args...)
	record, err := process.Start(name, p.at(s.Options.Name).log(name), argv)
	if err != nil {
		return err
	}
	s.Processes = append(s.Processes, record)
	return p.save(*s)
}

// awaitHTTP asks url until it answers 200 or ctx ends.
func awaitHTTP(ctx context.Context, url string) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ask(ctx, url)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", url, err)
		case <-ticker.C:
		}
	}
}

func ask(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", answer.Status)
	}
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/rollout"
)

// standing is what status tells.
type standing struct {
	SchemaVersion int        `json:"schemaVersion"`
	Namespace     string     `json:"namespace"`
	Service       string     `json:"service"`
	Phase         *string    `json:"phase"` // null: no rollout is on record
	Passed        *float64   `json:"passed"`
	Undoing       bool       `json:"undoing"` // it is being rolled back
	Holder        *string    `json:"holder"`  // null: nobody is at work
	Renewed       *time.Time `json:"renewed"`
	Release       *string    `json:"release"`
	Mode          *string    `json:"mode"`
	Finish        *string    `json:"finish"`
	Replicas      *int       `json:"replicas"`
	Stable        *side      `json:"stable"`
	Canary        *side      `json:"canary"`
	Paused        []string   `json:"pausedAutoscalers"`
}

type side struct {
	Deployment string `json:"deployment"`
	Replicas   *int   `json:"replicas"` // null: there is no such Deployment
	Ready      *int   `json:"ready"`
}

// status tells where a rollout stands and who holds it.
func (c *Command) status(ctx context.Context, values config.Values, warnings []string) (ExitCode, error) {
	options, err := config.ParseStatus(values)
	if err != nil {
		return ExitUsage, usage(err)
	}
	log := newLogger(c.Stderr, slog.LevelInfo)
	for _, warning := range warnings {
		log.WarnContext(ctx, "inputs", "warning", warning)
	}
	record := &rollout.Record{Namespace: options.Namespace, Service: options.Service}
	connected, lease, memory, err := c.find(ctx, options.Place, record, log.Info)
	if err != nil {
		return exitOf(err), err
	}
	s := standing{SchemaVersion: 1, Namespace: record.Namespace, Service: record.Service, Paused: []string{}}
	if err = s.look(ctx, connected.client, lease, memory); err != nil {
		return exitOf(err), err
	}
	if options.Output == "json" {
		encoder := json.NewEncoder(c.json())
		encoder.SetIndent("", "  ")
		return ExitOK, encoder.Encode(s)
	}
	_, err = fmt.Fprintln(c.text(), s.text())
	return ExitOK, err
}

// look fills in what memory, Lease and Deployments say.
func (s *standing) look(ctx context.Context, client *kube.Client, lease *kube.LeaseRecord, memory *rollout.Memory) error {
	if memory == nil {
		return nil
	}
	if lease.Held {
		s.Holder, s.Renewed = new(lease.Holder.String()), &lease.Renewed
	}
	live, err := client.Look(ctx, s.Namespace, s.Service)
	if err != nil {
		return err
	}
	if memory.Autoscaled {
		paused, err := client.Paused(ctx, s.Namespace, memory.Stable, memory.Canary)
		if err != nil {
			return err
		}
		s.Paused = append(s.Paused, paused...)
	}
	s.Undoing = memory.Undoing
	s.Phase, s.Passed, s.Release = new(string(memory.Phase)), new(float64(memory.Passed)), &memory.Release
	s.Mode, s.Finish, s.Replicas = new(string(memory.Mode)), new(string(memory.Finish)), &memory.Replicas
	s.Stable, s.Canary = &side{Deployment: memory.Stable}, &side{Deployment: memory.Canary}
	for _, d := range live.Roles() {
		for _, side := range []*side{s.Stable, s.Canary} {
			if d.Name == side.Deployment {
				side.Replicas, side.Ready = new(d.Replicas), new(d.Ready)
			}
		}
	}
	return nil
}

// text is for people.
func (s *standing) text() string {
	if s.Phase == nil {
		return fmt.Sprintf("no rollout%s is on record in namespace %q", of(s.Service), s.Namespace)
	}
	text, undoing := "", ""
	if len(s.Paused) > 0 {
		text = fmt.Sprintf("autoscaling of HorizontalPodAutoscaler %s is paused\n", strings.Join(s.Paused, ", "))
	}
	if s.Undoing {
		undoing = ", being rolled back"
	}
	text += fmt.Sprintf("service  %s/%s\nphase    %s, passed %s%s\nstable   %s\ncanary   %s\n", s.Namespace, s.Service, *s.Phase,
		rollout.Percent(*s.Passed), undoing, s.Stable.text(), s.Canary.text())
	if s.Holder == nil {
		return text + "holder   nobody"
	}
	return text + fmt.Sprintf("holder   %s, renewed %s", *s.Holder, s.Renewed.Format(time.RFC3339))
}

func (s *side) text() string {
	if s.Replicas == nil {
		return s.Deployment + ", which does not exist"
	}
	return fmt.Sprintf("%s, %d of %d ready", s.Deployment, *s.Ready, *s.Replicas)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/rollout"
)

// toldIn is how long the API server may take for an Event: nothing depends on it.
const toldIn = time.Second

// Judged implements rollout.Herald: an Event of the Service.
func (j *journal) Judged(ctx context.Context, stage rollout.StageRecord) {
	j.event(ctx, kube.Event{
		Reason:  "Stage" + camel(string(stage.Verdict)),
		Note:    fmt.Sprintf("%s: %s: %s", title(stage.Name), stage.Reason, stage.Detail),
		Warning: stage.Verdict != rollout.Pass,
	})
}

// ended makes the last Event of a run, while the Lease is still held.
func (j *journal) ended(ctx context.Context, record *rollout.Record) {
	j.event(ctx, kube.Event{
		Reason:  camel(string(record.Outcome)),
		Note:    fmt.Sprintf("rollout of %s: %s: %s", record.Canary.Deployment, record.Reason, record.Message),
		Warning: !well(record),
	})
}

// event tells, and after one failure no more: an API server that is silent would
// hold up every stage.
func (j *journal) event(ctx context.Context, event kube.Event) {
	if j.tell == nil {
		return
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), toldIn)
	defer cancel()
	event.Note = string(j.veil.hide([]byte(event.Note)))
	err := j.tell(limited, event)
	if err == nil {
		return
	}
	j.tell = nil
	if !errors.Is(err, kube.ErrFenced) { // then another run tells its own story
		j.warn("telling the cluster", err)
	}
}

// camel turns a word of the report into an Event's reason: "rolled-back" is RolledBack.
func camel(word string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(word, "-") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}

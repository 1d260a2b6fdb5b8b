package kube

import (
	"context"
	"fmt"
	"unicode/utf8"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/reference"
)

// maxNote is what the API server takes of an Event's note, in bytes,
// https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/apis/core/validation/events.go
const maxNote = 1024

// Event is what `kubectl describe service` shows of a rollout.
type Event struct {
	Reason  string // in camel case, such as StagePassed
	Note    string // cut to 1,024 bytes
	Warning bool   // something a person should look at
}

// Tell makes an Event of the Service. Without a Service there is nothing to tell of.
func (c *Cluster) Tell(ctx context.Context, event Event) error {
	service, err := c.services.Get(c.Service)
	if err != nil {
		return fmt.Errorf("reading service %q: %w", c.Service, err)
	}
	regarding, err := reference.GetReference(scheme.Scheme, service)
	if err != nil {
		return fmt.Errorf("making an event of service %q: %w", c.Service, err)
	}
	object := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: c.Service + "-", Namespace: c.Namespace},
		EventTime:  metav1.NowMicro(), ReportingController: FieldManager, ReportingInstance: FieldManager,
		Action: "Rollout", Reason: event.Reason, Regarding: *regarding, Note: cut(event.Note, maxNote), Type: "Normal",
	}
	if event.Warning {
		object.Type = "Warning"
	}
	if _, err := c.Typed.EventsV1().Events(c.Namespace).Create(ctx, object, metav1.CreateOptions{FieldManager: FieldManager}); err != nil {
		return fmt.Errorf("making an event of service %q: %w", c.Service, err)
	}
	return nil
}

// cut shortens a text to so many bytes, between two characters.
func cut(text string, most int) string {
	const ellipsis = "…"
	if len(text) <= most {
		return text
	}
	end := most - len(ellipsis)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

package manifest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/org/l4-canary/internal/manifest"
)

func TestParkLabel(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name               string
		service, selector  map[string]any
		label              string
		releases           bool
		selectsExpressions []any
	}{
		{name: "a label that only the Service wants", service: map[string]any{"app": "lobby"}, selector: map[string]any{"track": "blue"}, label: "app"},
		{name: "the one of several that the Deployment does not want", service: map[string]any{"app": "lobby", "tier": "game"},
			selector: map[string]any{"app": "lobby", "track": "blue"}, label: "tier"},
		{name: "equal selectors", service: map[string]any{"app": "lobby"}, selector: map[string]any{"app": "lobby"}, label: "app", releases: true},
		{name: "an expression is a want too", service: map[string]any{"app": "lobby"},
			selectsExpressions: []any{map[string]any{"key": "app", "operator": "Exists"}}, label: "app", releases: true},
		{name: "a Service that selects nothing"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			label, releases := manifest.ParkLabel(
				content(map[string]any{"selector": row.service}),
				content(map[string]any{"selector": map[string]any{"matchLabels": row.selector, "matchExpressions": row.selectsExpressions}}))
			require.Equal(t, row.label, label)
			require.Equal(t, row.releases, releases)
		})
	}
}

func content(spec map[string]any) manifest.Object {
	return manifest.Object{Unstructured: &unstructured.Unstructured{Object: map[string]any{"spec": spec}}}
}

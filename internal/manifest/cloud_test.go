package manifest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestTargetsPods: only the annotations that say so, with the value that says so.
func TestTargetsPods(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		annotations map[string]string
		want        bool
	}{
		"none":      {nil, false},
		"instances": {map[string]string{"service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": "instance"}, false},
		"other":     {map[string]string{"example.com/direct": "true", "example.com/empty": ""}, false},
		"aws":       {map[string]string{"service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": "ip"}, true},
		"old aws":   {map[string]string{"service.beta.kubernetes.io/aws-load-balancer-type": "nlb-ip"}, true},
		"new aws":   {map[string]string{"service.beta.kubernetes.io/aws-load-balancer-type": "external"}, false},
		"tencent":   {map[string]string{"service.cloud.tencent.com/direct-access": "true"}, true},
		"alibaba":   {map[string]string{"service.beta.kubernetes.io/backend-type": "eni"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := Object{Unstructured: &unstructured.Unstructured{Object: map[string]any{}}}
			service.SetAnnotations(row.annotations)
			require.Equal(t, row.want, TargetsPods(service))
		})
	}
}

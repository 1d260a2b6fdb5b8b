package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// scalersPath is where a script's API server has its autoscalers.
const scalersPath = "/apis/autoscaling/v2/namespaces/web/horizontalpodautoscalers"

func scalerList(items ...string) string {
	return `{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscalerList","metadata":{"resourceVersion":"4711"},"items":[` + strings.Join(items, ",") + `]}`
}

// scaler is stable's, KEDA's or not.
func scaler(keda bool) string {
	owner := ""
	if keda {
		owner = `,"ownerReferences":[{"apiVersion":"keda.sh/v1alpha1","kind":"ScaledObject","name":"queue","uid":"uid-queue","controller":true}]`
	}
	return fmt.Sprintf(`{"metadata":{"name":"web-scaler","namespace":"web","resourceVersion":"4650"%s},
		"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"old-nginx"},"minReplicas":10,"maxReplicas":20}}`, owner)
}

// pausedScaler is stable's while a rollout lasts.
func pausedScaler() string {
	return `{"metadata":{"name":"web-scaler","namespace":"web","resourceVersion":"4650",
			"annotations":{"l4-canary.io/paused":"{\"spec\":{\"minReplicas\":10,\"maxReplicas\":20,\"behavior\":null}}"}},
		"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"old-nginx"},"minReplicas":1,"maxReplicas":20,
			"behavior":{"scaleUp":{"selectPolicy":"Disabled"},"scaleDown":{"selectPolicy":"Disabled"}}}}`
}

// heldLease is the record of a rollout that was held at half.
func heldLease() string {
	state, err := json.Marshal(map[string]any{
		"schemaVersion": 1, "release": "abc", "mode": "pair", "finish": "keep", "stable": "old-nginx", "canary": "new-nginx",
		"replicas": 10, "maxSurge": 3, "passed": 50, "phase": "held", "autoscaled": true,
	})
	if err != nil {
		panic(err)
	}
	lease, err := json.Marshal(map[string]any{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
		"metadata": map[string]any{
			"name": "l4-canary-nginx", "namespace": "web", "resourceVersion": "4660",
			"annotations": map[string]any{"l4-canary.io/state": string(state)},
		},
		"spec": map[string]any{},
	})
	if err != nil {
		panic(err)
	}
	return string(lease)
}

// Package kube is the engine's hand on a real cluster: it finds the kubeconfig,
// reads what is live, applies, scales, and watches Deployments, pods and
// EndpointSlices until they are what the engine wants. It decides nothing.
package kube

// Package manifest reads Kubernetes manifests and works out what they mean for a
// canary: which Service, which Deployments behind it, which of them is stable.
//
// Everything here is a pure function of the manifests' bytes and of what is live,
// passed in as plain values. Nothing is asked of a cluster, and no object that is
// passed in is ever changed. The order of use:
//
//	set, notices, err := manifest.Read(sources, manifest.Dir("."), stdin)
//	set, namespace, err := set.InNamespace(input, kubeconfig)
//	service, err := set.Service(name)
//	selection, err := set.Behind(service)
//	roles, err := manifest.AssignRoles(selection, live, stable, canary)
//	problems := manifest.Check(service, roles, address)
package manifest

package kube

import (
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/org/l4-canary/internal/preflight"
	"github.com/org/l4-canary/internal/rollout"
)

// marks are the rollouts of other Services that work on one of the Deployments, or
// that wait to be gone on with: their Leases remember both names. One that has ended,
// and whose Lease only remembers the way back, marks nothing.
func marks(leases []coordinationv1.Lease, facts *preflight.Facts) []preflight.Mark {
	var found []preflight.Mark
	for i := range leases {
		service, ours := strings.CutPrefix(leases[i].Name, leasePrefix)
		if !ours || service == facts.Service.GetName() {
			continue
		}
		record := recordOf(&leases[i])
		memory, err := rollout.ReadMemory(record.State)
		if err != nil || memory == nil || !record.Held && !memory.Unfinished() {
			continue // what cannot be read is for a run of that Service to say
		}
		holder := ""
		if record.Held {
			holder = record.Holder.String()
		}
		for _, name := range []string{facts.Roles.Stable.Name, facts.Roles.Canary.Name} {
			if name != "" && (name == memory.Stable || name == memory.Canary) {
				found = append(found, preflight.Mark{Deployment: name, Service: service, Lease: leases[i].Name, Holder: holder})
			}
		}
	}
	return found
}

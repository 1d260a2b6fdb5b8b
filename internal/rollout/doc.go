// Package rollout is the engine: it plans the pod counts of a staged rollout,
// moves the pods, has the balancer sampled, judges what was seen, and rolls back
// if that is not what the pods should give. It works on plain structs and knows
// nothing of Kubernetes, of sockets or of any CI system.
//
// A rollout in one screen is [Rollout.Run] and the function steps below it:
//
//	prepare     stable at its capacity, the balancer with an address
//	baseline    the service sampled before anything is touched
//	introduce   the canary applied without pods
//	stage       for each: move, wait for the endpoints, settle, sample, judge
//	finish      the old Deployment kept without pods, or deleted
//
// What stops it is a [Setback], which is a result, not a fault of the tool, and
// ends in a rollback, or in nothing where that is asked for. Everything planned, done and seen is in the [Record].
//
// The rules that hold at every instant, whatever kills the process, are kept in
// one function, next in move.go.
package rollout

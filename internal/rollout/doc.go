// Package rollout is the engine: it plans the pod counts of a staged rollout,
// moves the pods, has the balancer sampled, judges what was seen, and rolls back
// if that is not what the pods should give. It works on plain structs and knows
// nothing of Kubernetes, of sockets or of any CI system.
//
// A rollout in one screen is [Rollout.Run] and what stands below it, steps and stages:
//
//	prepare     stable at its capacity, the balancer with an address
//	smoke       one pod of the new version asked, outside of the Service
//	baseline    the service sampled before anything is touched
//	learn       what tells the versions apart, where no patterns do
//	hold open   some flows that are to live through the moves
//	introduce   the canary applied without pods
//	stage       for each: move, wait for the endpoints, settle, sample, judge, pause
//	finish      bake; then the old Deployment kept without pods, deleted, or made the new one
//
// A run that goes on with what another one left is in resume.go, the way back in rollback.go.
//
// What stops it is a [Setback], which is a result, not a fault of the tool, and
// ends in a rollback, or in nothing where that is asked for. Everything planned, done
// and seen is in the [Record].
//
// The rules that hold at every instant, whatever kills the process, are kept in
// one function, next in move.go.
package rollout

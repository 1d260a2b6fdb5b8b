// Package probe measures who answers behind a balancer of layer 4.
//
// One sample is one flow: one new socket with a source port of its own, to a
// literal address, that holds one short conversation (an Exchange) and is then
// closed. Nothing is kept alive, raced or repeated, because a second flow that
// nobody counts turns a two-pod round robin into 0 % or 100 %.
//
// A Sampler starts flows on a seeded schedule and yields them in scheduled
// order over the finished prefix. Completion order would over-count the faster
// version; a start that waits for earlier answers would under-sample stalls
// (coordinated omission). Hence the open loop and the reorder buffer.
//
// The package knows nothing of canaries beyond the two patterns of a
// Classifier, nothing of verdicts, and nothing of Kubernetes.
package probe

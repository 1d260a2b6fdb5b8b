// Package inside makes the flows of a window in a pod of the cluster, and brings them
// back.
//
// The engine's side writes a Plan and follows what the pod says; the pod's side, Serve,
// carries the plan out and says one line for each flow, in scheduled order. The lines
// come through the API server, as the pod's log does: there is no other way between the
// two, and what the pod has said can be read again when a connection is cut.
//
// What a pod logs may be kept for ever by whatever gathers the cluster's logs. So lines
// hold no text of an answer or an error. Versions are told apart where the answers are;
// only while something is to be learned of them do they come back, sealed with a key
// that lies in the plan.
//
// The package knows nothing of Kubernetes, of stages or of verdicts.
package inside

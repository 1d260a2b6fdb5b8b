// Package metric asks a Prometheus server for the engine of internal/rollout.
//
// [Parse] reads the queries that a user wrote, or says everything that is wrong with
// them. [Fill] puts the names of a rollout where a query has placeholders. [NewServer]
// reads where the server is and what it takes to be let in, and [Client.Ask] evaluates an
// expression there. What an expression means is the server's business: nothing here
// knows its language.
//
// Credentials are in no message: they are kept apart from the address, they are sent to
// its host alone, and what a server says is searched for them.
package metric

// Package spec reads how the ports of a Service are to be asked: a preset's word, or
// YAML with an entry for each port.
//
// [Parse] turns the text into [Probes], or into [Problems] that name everything that is
// wrong with it, each with its port and key and what is allowed. [Probes.Ports] pairs
// the entries with the ports that there are. Files and the environment come from
// outside, through [Source].
package spec

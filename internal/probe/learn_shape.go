package probe

import (
	"bytes"
	"net/netip"
	"regexp"
	"strings"
	"unicode/utf8"
)

// shape is how much a word looks like what belongs to a version, the best first.
type shape int

const (
	versioned shape = iota // "1.8.2", "v2", "10.11.6-MariaDB"
	labelled               // "3f2a9c1" after "commit"
	decimal                // "1.27"
	wordy                  // "blue", "X-Feature"
	structure              // no word of its own: another order, or one more of a kind
	opaque                 // "8f3a9c": can be a pod's own, unless several pods of a side have it
	fickle                 // "14" after "uptime", "a" after "zone": no evidence at all
)

var (
	versionWord = regexp.MustCompile(`(?i)^(?:[a-z][a-z0-9._+~-]*[-_])?v?\d+\.\d+\.\d+(?:[-+.~_]?[0-9a-z]+)*$` +
		`|^[a-z][a-z0-9-]*-\d+[+~][a-z0-9.+~]+$` + // a package's revision: "Debian-2+deb12u3"
		`|^(?:[a-z][a-z_-]*[-_])?(?:v|ver|version|rev|build|release|rel)[-_.]?\d+(?:\.\d+)*(?:[-+.~_][0-9a-z]+)*$`)
	decimalWord = regexp.MustCompile(`(?i)^(?:[a-z][a-z0-9._+~-]*[-_])?\d+\.\d+(?:[-+~_]?[0-9a-z]+)*$`)
	dateWord    = regexp.MustCompile(`^\d{4}-\d\d-\d\d|^\d{1,2}\.\d{1,2}\.\d{4}$`)
	unitWord    = regexp.MustCompile(`(?i)^[-+]?\d+(?:\.\d+)?(?:[nuµm]?s|sec|min|h|d|[kmgt]i?b|b|rps|qps|c)$`)
	plainWord   = regexp.MustCompile(`^(?:[a-z]+|[A-Z]+|(?:[A-Z]{2,}|[A-Z]?[a-z]{2,}){1,4})(?:[-_.](?:[a-z]+|[A-Z]+|[A-Z][a-z]+))*$`)
	clumsyPart  = regexp.MustCompile(`[^aeiouyA-Z_.-]{5}|^[^aeiouyA-Z]{4}|^[B-DF-HJ-NP-TV-XZ]{6}`)

	// What a pod is at the moment, as against which.
	stateWord = regexp.MustCompile(`(?i)^(?:leader|follower|candidate|primary|secondary|master|slave|replica|active|passive|standby|observer|` +
		`ready|starting|started|running|stopping|stopped|warming|warm|cold|idle|busy|healthy|unhealthy|degraded|ok|okay|up|down|online|offline|` +
		`true|false|yes|no|on|off|enabled|disabled|none|null|hit|miss|open|closed|success|failed|failure|errors?|pass|fail|` +
		`mon|tue|wed|thu|fri|sat|sun|(?:mon|tues|wednes|thurs|fri|satur|sun)day|today|yesterday|am|pm|` +
		`jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|january|february|march|april|june|july|august|september|october|november|december)$`)

	// What stands beside a word says what it is.
	versionLabel = regexp.MustCompile(`(?i)(?:version|commit|revision|release|build|image)$|(?:^|[-_.])(?:v|ver|rev|git|sha|tag|rel)$`)
	fickleLabel  = regexp.MustCompile(`(?i)(?:^|[-_.])(?:up|uptime|age|seconds?|secs?|minutes?|mins?|hours?|days?|weeks?|counts?|counter|total|conns?|connections?|` +
		`requests?|reqs?|sessions?|users?|players?|clients?|online|load|cpu|mem|memory|seq|time|timestamp|date|since|started|ms|us|ns|pid|port|threads?|ttl|hits|` +
		`latency|took|elapsed|duration|bytes|size|length|average|avg|rate)$`)
	unitLabel = regexp.MustCompile(`(?i)^(?:[nuµm]?s|secs?|seconds?|mins?|minutes?|hours?|days?|[kmgt]i?b)$`)
	ownLabel  = regexp.MustCompile(`(?i)(?:^|[-_.])(?:id|uuid|uid|guid|instance|host|hostname|name|user|role|state|status|phase|mode|health|pod|node|ip|addr|address|nonce|token|cookie|session|salt|serial|` +
		`shard|zone|region|rack|name|container|worker|replica|challenge|trace|span)$|(?:Id|ID)$`)
)

// short is how long a word may be that comes about by chance.
const short = 3

// shape judges a word of an answer. "nginx/1.27" says itself what it is.
func (r *reading) shape(i int) shape {
	word, from := string(r.bytesOf(i)), r.word(i).from
	if from > 0 && r.text[from-1] == '/' && decimalWord.MatchString(word) {
		return versioned
	}
	is := shapeOf(word, r.before(i), r.after(i))
	if is == wordy && len(word) <= short && r.amongBytes(i) {
		return opaque
	}
	return is
}

// amongBytes reports whether bytes that are no text touch a word: then a short one may
// be a number.
func (r *reading) amongBytes(i int) bool {
	w := r.word(i)
	return strange(r.text[r.word(i-1).to:w.from]) || strange(r.text[w.to:r.word(i+1).from])
}

// strange reports whether what stands between words is no text: there a number can
// be that belongs to one pod or one connection.
func strange(between []byte) bool {
	return bytes.ContainsFunc(between, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\r' && r != '\n' || r == 0x7f || r == utf8.RuneError
	})
}

// shapeOf judges a word by itself and by its neighbours in the answer.
func shapeOf(word, before, after string) shape {
	switch {
	case private(word):
		return fickle
	case versionLabel.MatchString(before) && (versionWord.MatchString(word) || decimalWord.MatchString(word)):
		return versioned
	case versionLabel.MatchString(before):
		return labelled
	case dateWord.MatchString(word):
		return fickle
	case versionWord.MatchString(word):
		return versioned
	case fickleLabel.MatchString(before), unitWord.MatchString(word),
		digits(word) && fickleLabel.MatchString(after), decimalWord.MatchString(word) && unitLabel.MatchString(after):
		return fickle
	case ownLabel.MatchString(before), stateWord.MatchString(word):
		return fickle
	case decimalWord.MatchString(word):
		return decimal
	case plainWord.MatchString(word) && len(word) <= 64 && !clumsyPart.MatchString(word):
		return wordy
	}
	return opaque
}

func digits(word string) bool { return strings.Trim(word, "0123456789") == "" }

// private reports whether a word is an address that only the cluster knows.
func private(word string) bool {
	address, err := netip.ParseAddr(word)
	shared := netip.MustParsePrefix("100.64.0.0/10")
	return err == nil && (address.IsPrivate() || address.IsLoopback() || address.IsLinkLocalUnicast() || shared.Contains(address))
}

package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sample are the options of the command sample.
type Sample struct {
	Address  string
	Port     int
	Protocol string // tcp or udp; empty: what the probe says
	Probe    string // one of ProbeWords, YAML, or the name of a file
	Send     []byte // nil: what the probe sends
	Expect   *regexp.Regexp

	StablePattern  *regexp.Regexp
	CanaryPattern  *regexp.Regexp
	ExpectedWeight Optional[float64] // percent
	Tolerance      float64
	Confidence     float64

	Rate        float64 // flows a second; 0: as fast as it goes
	Concurrency int
	Count       Optional[int] // exactly so many
	MaxProbes   Optional[int]
	Timeout     time.Duration // of one flow
	Close       string        // fin, rst or auto
	Seed        Optional[uint64]
	Output      string // table or json
}

// ParseSample turns the values of sample into options. The error is [Problems].
func ParseSample(v Values) (Sample, error) {
	r := &reader{values: v}
	sample := Sample{
		Address: r.host("address"), Port: r.port(),
		Probe: r.probe(),
		Send:  r.send(), Expect: r.pattern("expect"),

		StablePattern: r.pattern("stable-pattern"), CanaryPattern: r.pattern("canary-pattern"),
		ExpectedWeight: r.expectedWeight(), Tolerance: r.tolerance(), Confidence: r.confidence(),

		Rate: r.number("rate", "flows per second, 0 (as fast as it goes) to 100000", false,
			func(n float64) bool { return n <= 100_000 }),
		Concurrency: r.whole("concurrency", 1, 20_000),
		Count:       r.optionalWhole("count", 100_000_000), MaxProbes: r.maxProbes(),
		Timeout: r.duration("timeout", false), Close: r.choice("close", "fin", "rst", "auto"), Seed: r.seed(), Output: r.choice("output", "table", "json"),
	}
	sample.Protocol = r.protocol(sample.Probe)
	if r.text("address") == "" {
		r.reject("address", "missing: write the IP address or host name to sample")
	}
	if sample.Count.Set && sample.MaxProbes.Set {
		r.reject("max-probes", "leave it out together with count, which is exact")
	}
	if sample.ExpectedWeight.Set && sample.CanaryPattern == nil && r.sound("canary-pattern") {
		r.reject("canary-pattern", "missing: without it no flow can be told to be the canary's, as input \"expected-weight\" needs")
	}
	if !slices.Contains(ProbeWords(), sample.Probe) && r.sound("probe") && (sample.Send != nil || sample.Expect != nil) {
		r.reject("probe", "leave it out together with send and expect, which are a probe of their own")
	}
	r.samePattern(sample.StablePattern, sample.CanaryPattern)
	return sample, r.err()
}

func (r *reader) port() int {
	if r.text("port") == "" {
		r.reject("port", "missing: a whole number from 1 to 65535")
		return 0
	}
	return r.whole("port", 1, 65_535)
}

// protocol is tcp or udp, or empty where the probe decides.
func (r *reader) protocol(probe string) string {
	protocol := r.choice("protocol", "auto", "tcp", "udp")
	if protocol == "auto" {
		return ""
	}
	either := !slices.Contains(ProbeWords(), probe) || probe == "auto" || probe == "dns"
	if !either && (probe == "udp") != (protocol == "udp") {
		r.reject("protocol", "it contradicts input \"probe\", which is "+probe)
	}
	return protocol
}

func (r *reader) expectedWeight() Optional[float64] {
	if r.text("expected-weight") == "" {
		return Optional[float64]{}
	}
	return Optional[float64]{Value: r.between("expected-weight", 0, 100), Set: true}
}

func (r *reader) seed() Optional[uint64] {
	text := r.text("seed")
	if text == "" {
		return Optional[uint64]{}
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		r.reject("seed", "a whole number from 0 to 18446744073709551615")
	}
	return Optional[uint64]{Value: seed, Set: true}
}

func (r *reader) send() []byte {
	text := r.text("send")
	if text == "" {
		return nil
	}
	data, ok := unescape(text)
	if !ok {
		r.reject("send", `text in which \r, \n, \t, \0, \\ and \xHH stand for bytes, and no other backslash`)
	}
	return data
}

// unescape turns \r, \n, \t, \0, \\ and \xHH into bytes.
func unescape(text string) ([]byte, bool) {
	var data []byte
	for {
		before, after, found := strings.Cut(text, `\`)
		data = append(data, before...)
		if !found {
			return data, true
		}
		if after == "" {
			return nil, false
		}
		if at := strings.IndexByte(`rnt0\`, after[0]); at >= 0 {
			data, text = append(data, "\r\n\t\x00\\"[at]), after[1:]
			continue
		}
		if after[0] != 'x' || len(after) < 3 {
			return nil, false
		}
		b, err := strconv.ParseUint(after[1:3], 16, 8)
		if err != nil {
			return nil, false
		}
		data, text = append(data, byte(b)), after[3:]
	}
}

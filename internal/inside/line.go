package inside

import (
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/l4-canary/internal/probe"
)

// What a pod says: a line that names the format, one with the addresses, then flows,
// and how the sampling goes. Numbers are in base 36, times in nanoseconds,
// bytes in base64, and "-" is nothing.
//
//	l4-canary-prober 1 v1.4.0
//	a 192.0.2.7 2001:db8::7
//	f INDEX PORT ADDRESS CLASS VERSION RESENT SKIPPED SCHEDULED START CONNECT FIRST TOTAL POD ANSWER
//	s ELAPSED SENT NOTSENT RATE P50 P99 MAX
//	e TEXT
const (
	greeting = "l4-canary-prober"
	numerals = 36
	nothing  = "-"
)

// The bounds of what is believed.
const (
	maxLine      = 128 << 10        // of bytes: the largest answer, sealed, and all that stands before it
	maxAddresses = 1000             // of a balancer
	maxPod       = 253              // of a name in Kubernetes
	maxText      = 4 << 10          // of an error
	maxCount     = 1 << 40          // flows
	maxSpan      = 1000 * time.Hour // of a window
)

var encoding = base64.RawStdEncoding

// classes and versions are the letters that stand for them. An ambiguous answer, which
// both patterns match, has one of its own.
var (
	classes = map[probe.Class]string{
		probe.Answered: "a", probe.Refused: "r", probe.Reset: "x", probe.Timeout: "t", probe.Faulty: "p", probe.Local: "l",
	}
	versions = map[probe.Version]string{probe.Stable: "s", probe.Canary: "c", probe.Unknown: "u", probe.None: nothing}
)

const ambiguous = "b"

// hello is the first line.
func hello(version string) string { return fmt.Sprintf("%s %d %s\n", greeting, Format, version) }

// addressLine says which addresses the numbers of flows stand for.
func addressLine(addresses []netip.Addr) string {
	var b strings.Builder
	b.WriteString("a")
	for _, address := range addresses {
		b.WriteString(" " + address.String())
	}
	return b.String() + "\n"
}

// errorLine is a pod's last one.
func errorLine(err error) string {
	text := err.Error()
	return "e " + encoding.EncodeToString([]byte(text[:min(len(text), maxText)])) + "\n"
}

// progress is how far a pod has come.
type progress struct {
	elapsed time.Duration
	stats   probe.Stats
}

func (p progress) line() string {
	s := p.stats
	fields := []int64{
		int64(p.elapsed), int64(s.Sent), int64(s.NotSent), int64(s.Rate * thousand),
		int64(s.Lateness.P50), int64(s.Lateness.P99), int64(s.Lateness.Max),
	}
	line := []byte("s")
	for _, n := range fields {
		line = strconv.AppendInt(append(line, ' '), n, numerals)
	}
	return string(append(line, '\n'))
}

const thousand = 1000 // rates have three decimals

// flowLine is a flow; its answer is part of it if it is to come back.
func flowLine(line []byte, f probe.Flow, address int, answer string) []byte {
	line = append(line, 'f')
	for _, n := range []int{f.Index, f.Port, address} {
		line = strconv.AppendInt(append(line, ' '), int64(n), numerals)
	}
	version := versions[f.Version]
	if f.Both {
		version = ambiguous
	}
	line = append(append(append(append(line, ' '), classes[f.Class]...), ' '), version...)
	for _, n := range []int64{
		int64(f.Resent), int64(f.Skipped), int64(f.Scheduled), int64(f.Start), int64(f.Connect), int64(f.FirstByte), int64(f.Total),
	} {
		line = strconv.AppendInt(append(line, ' '), n, numerals)
	}
	pod := nothing
	if f.Pod != "" && len(f.Pod) <= maxPod {
		pod = encoding.EncodeToString([]byte(f.Pod))
	}
	return append(append(append(append(append(line, ' '), pod...), ' '), answer...), '\n')
}

// sealed is an answer as it stands in a line.
func sealed(seal cipher.AEAD, answer []byte) string {
	return encoding.EncodeToString(seal.Seal(nil, nil, answer, nil))
}

// decoder turns lines back. It believes nothing that cannot be.
type decoder struct {
	ports     int
	seal      cipher.AEAD
	addresses []netip.Addr
}

// errLine is a line that no prober says.
var errLine = errors.New("it said something that no prober says")

// wrong says which part of a line is wrong. What stands there is not repeated: it is not
// known whose it is.
func wrong(what string) error { return fmt.Errorf("%w (%s)", errLine, what) }

// greet reads the first line.
func greet(line string) error {
	fields := strings.Split(line, " ")
	if len(fields) != 3 || fields[0] != greeting {
		return errors.New("its image knows nothing of probing from inside a cluster: it has to be that of this very version of l4-canary (input probe-image)")
	}
	if format := strconv.Itoa(Format); fields[1] != format {
		return fmt.Errorf("its image holds l4-canary %q, which speaks format %q where this program speaks %s: it has to be that of this very version (input probe-image)",
			clip(fields[2]), clip(fields[1]), format)
	}
	return nil
}

// clip shortens what is not known to be short.
func clip(text string) string {
	const room = 40
	return text[:min(len(text), room)]
}

// setAddresses reads the second line.
func (d *decoder) setAddresses(fields []string) error {
	if len(fields) == 0 || len(fields) > maxAddresses {
		return wrong("number of addresses")
	}
	var found []netip.Addr
	for _, field := range fields {
		address, err := netip.ParseAddr(field)
		if err != nil {
			return wrong("address")
		}
		found = append(found, address)
	}
	if d.addresses != nil && !slices.Equal(d.addresses, found) {
		return wrong("other addresses than before")
	}
	d.addresses = found
	return nil
}

// numbers reads fields that are not negative, each up to a bound of its own.
func numbers(fields []string, most ...int64) ([]int64, bool) {
	found := make([]int64, len(most))
	if len(fields) != len(most) {
		return found, false
	}
	for i, field := range fields {
		n, err := strconv.ParseUint(field, numerals, 63)
		if err != nil || int64(n) > most[i] || field != strconv.FormatUint(n, numerals) {
			return found, false
		}
		found[i] = int64(n)
	}
	return found, true
}

// flow reads the fields of a flow.
func (d *decoder) flow(fields []string) (probe.Flow, error) {
	const size = 14
	if len(fields) != size {
		return probe.Flow{}, wrong("fields of a flow")
	}
	place, ok := numbers(fields[:3], maxCount, int64(d.ports)-1, int64(len(d.addresses))-1)
	if !ok {
		return probe.Flow{}, wrong("place of a flow")
	}
	span := int64(maxSpan)
	n, ok := numbers(fields[5:12], maxCount, maxCount, span, span, span, span, span)
	if !ok {
		return probe.Flow{}, wrong("figures of a flow")
	}
	f := probe.Flow{
		Index: int(place[0]), Port: int(place[1]), Address: d.addresses[place[2]], Resent: int(n[0]), Skipped: int(n[1]),
		Scheduled: time.Duration(n[2]), Start: time.Duration(n[3]), Connect: time.Duration(n[4]), FirstByte: time.Duration(n[5]), Total: time.Duration(n[6]),
	}
	if f.Class, ok = key(classes, fields[3]); !ok {
		return f, wrong("class of a flow")
	}
	if f.Both = fields[4] == ambiguous; f.Both {
		f.Version = probe.Unknown
	} else if f.Version, ok = key(versions, fields[4]); !ok {
		return f, wrong("version of a flow")
	}
	if f.Class != probe.Answered {
		f.Err = failure(f.Class)
	}
	return f, d.words(&f, fields[12], fields[13])
}

// words reads what stands in a flow beside its figures.
func (d *decoder) words(f *probe.Flow, pod, answer string) error {
	if pod != nothing {
		text, err := encoding.DecodeString(pod)
		if err != nil || len(text) == 0 || len(text) > maxPod {
			return wrong("pod of a flow")
		}
		f.Pod = string(text)
	}
	if f.Told = answer == nothing; f.Told {
		return nil
	}
	data, err := encoding.DecodeString(answer)
	if err != nil {
		return wrong("answer of a flow")
	}
	if f.Answer, err = d.seal.Open(nil, nil, data, nil); err != nil || len(f.Answer) > probe.MaxAnswer {
		return wrong("seal of an answer")
	}
	return nil
}

// failure is an error whose words stayed in the pod.
type failure probe.Class

// Error implements error.
func (f failure) Error() string { return "the flow ended as " + string(f) }

// key is what a letter stands for.
func key[K comparable](letters map[K]string, letter string) (K, bool) {
	for k, l := range letters {
		if l == letter {
			return k, true
		}
	}
	var none K
	return none, false
}

// readProgress reads the fields of a progress.
func readProgress(fields []string) (progress, error) {
	span := int64(maxSpan)
	n, ok := numbers(fields, span, maxCount, maxCount, maxCount, span, span, span)
	if !ok {
		return progress{}, wrong("figures of a progress")
	}
	return progress{time.Duration(n[0]), probe.Stats{
		Sent: int(n[1]), NotSent: int(n[2]), Rate: float64(n[3]) / thousand,
		Lateness: probe.Lateness{P50: time.Duration(n[4]), P99: time.Duration(n[5]), Max: time.Duration(n[6])},
	}}, nil
}

// saidError is why a pod gave up, in its own words: they are this program's.
func saidError(fields []string) error {
	if len(fields) != 1 {
		return wrong("fields of an error")
	}
	text, err := encoding.DecodeString(fields[0])
	if err != nil || len(text) > maxText {
		return wrong("text of an error")
	}
	return fmt.Errorf("it cannot work: %q", text)
}

package inside

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
)

// twoAddresses are those of these tests.
var twoAddresses = []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")}

func newDecoder(tb testing.TB) *decoder {
	tb.Helper()
	plan := Plan{Key: make([]byte, keySize)}
	seal, err := plan.seal()
	require.NoError(tb, err)
	return &decoder{ports: 3, seal: seal, addresses: twoAddresses}
}

// said is a line without its end, as fields behind the word.
func said(line []byte) []string {
	return strings.Split(strings.TrimSuffix(string(line), "\n"), " ")[1:]
}

// TestFlowLine: what a flow is survives, whatever it is.
func TestFlowLine(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	random := rand.New(rand.NewPCG(1, 2))
	span := func() time.Duration { return time.Duration(random.Int64N(int64(maxSpan))) }
	for class := range classes {
		for version := range versions {
			f := probe.Flow{
				Index: random.IntN(1 << 30), Port: random.IntN(3), Address: twoAddresses[1], Class: class, Version: version, Told: true,
				Resent: random.IntN(5), Skipped: random.IntN(1000), Scheduled: span(), Start: span(), Connect: span(), FirstByte: span(), Total: span(),
				Pod: "lobby-5d4f \n\x00ü",
			}
			back, err := d.flow(said(flowLine(nil, f, 1, nothing)))
			require.NoError(t, err)
			require.Equal(t, class == probe.Answered, back.Err == nil)
			back.Err = nil
			require.Equal(t, f, back)
		}
	}
	both := probe.Flow{Class: probe.Answered, Version: probe.Unknown, Both: true, Address: twoAddresses[0], Told: true}
	back, err := d.flow(said(flowLine(nil, both, 0, nothing)))
	require.NoError(t, err)
	require.Equal(t, both, back)
}

// TestFlowLineIsCompact: an hour at 50 a second fits into what a node keeps of a log.
func TestFlowLineIsCompact(t *testing.T) {
	t.Parallel()
	f := probe.Flow{
		Index: 179_999, Class: probe.Answered, Version: probe.Canary, Scheduled: time.Hour, Start: time.Hour + time.Millisecond,
		Connect: 300 * time.Microsecond, FirstByte: time.Millisecond, Total: 2 * time.Millisecond,
	}
	require.Less(t, 180_000*len(flowLine(nil, f, 0, nothing)), 11<<20)
}

// TestAnswersAreSealed: nobody who gathers logs can read one, or change it unseen.
func TestAnswersAreSealed(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	for _, answer := range [][]byte{{}, []byte("220 old hunter2\r\n"), make([]byte, probe.MaxAnswer)} {
		f := probe.Flow{Class: probe.Answered, Address: twoAddresses[0], Answer: answer}
		line := flowLine(nil, f, 0, sealed(d.seal, answer))
		require.NotContains(t, string(line), "hunter2")
		require.Less(t, len(line), maxLine)
		back, err := d.flow(said(line))
		require.NoError(t, err)
		require.False(t, back.Told)
		require.Equal(t, string(answer), string(back.Answer))

		fields := said(line)
		last := []byte(fields[len(fields)-1])
		last[len(last)/2] ^= 1
		fields[len(fields)-1] = string(last)
		_, err = d.flow(fields)
		require.ErrorIs(t, err, errLine)
	}
	other := Plan{Key: slices.Repeat([]byte{7}, keySize)}
	seal, err := other.seal()
	require.NoError(t, err)
	_, err = d.flow(said(flowLine(nil, probe.Flow{Class: probe.Answered}, 0, sealed(seal, []byte("x")))))
	require.ErrorIs(t, err, errLine, "of another plan")
}

// TestPodsOfForeignLength: a pattern that catches a whole page names no pod.
func TestPodsOfForeignLength(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	back, err := d.flow(said(flowLine(nil, probe.Flow{Class: probe.Answered, Pod: strings.Repeat("p", maxPod+1)}, 0, nothing)))
	require.NoError(t, err)
	require.Empty(t, back.Pod)
	back, err = d.flow(said(flowLine(nil, probe.Flow{Class: probe.Answered, Pod: strings.Repeat("p", maxPod)}, 0, nothing)))
	require.NoError(t, err)
	require.Len(t, back.Pod, maxPod)
}

// TestHostileFlows: nothing is believed that cannot be.
func TestHostileFlows(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	good := "0 0 0 a s 0 0 1 1 1 1 1 - -"
	_, err := d.flow(strings.Split(good, " "))
	require.NoError(t, err)
	for _, row := range []struct {
		at        int
		with, why string
	}{
		{0, "-1", "place of a flow"}, {0, "", "place of a flow"}, {0, "00", "place of a flow"}, {0, "zzzzzzzzzzzzzz", "place of a flow"},
		{0, "1000000000000", "place of a flow"}, {1, "3", "place of a flow"}, {2, "2", "place of a flow"}, {0, "+1", "place of a flow"},
		{0, "A", "place of a flow"}, {3, "z", "class of a flow"}, {3, "-", "class of a flow"}, {4, "x", "version of a flow"},
		{5, "-", "figures of a flow"}, {11, "zzzzzzzzzzz", "figures of a flow"}, {12, "!", "pod of a flow"}, {12, "", "pod of a flow"},
		{12, strings.Repeat("AAAA", 100), "pod of a flow"}, {13, "!", "answer of a flow"}, {13, "AAAA", "seal of an answer"}, {13, "", "seal of an answer"},
	} {
		fields := strings.Split(good, " ")
		fields[row.at] = row.with
		_, err := d.flow(fields)
		require.ErrorIs(t, err, errLine, "%v", fields)
		require.ErrorContains(t, err, "("+row.why+")", "%v", fields)
	}
	for _, fields := range []string{"", good + " -", strings.TrimSuffix(good, " -")} {
		_, err := d.flow(strings.Split(fields, " "))
		require.ErrorContains(t, err, "(fields of a flow)")
	}
}

func TestAddressLine(t *testing.T) {
	t.Parallel()
	d := &decoder{}
	require.NoError(t, d.setAddresses(said([]byte(addressLine(twoAddresses)))))
	require.Equal(t, twoAddresses, d.addresses)
	require.NoError(t, d.setAddresses(said([]byte(addressLine(twoAddresses)))), "once more after a cut")
	require.ErrorContains(t, d.setAddresses([]string{"192.0.2.8"}), "other addresses than before")
	for _, fields := range [][]string{nil, {""}, {"example.com"}, slices.Repeat([]string{"192.0.2.7"}, maxAddresses+1)} {
		require.ErrorIs(t, (&decoder{}).setAddresses(fields), errLine)
	}
}

func TestProgressLine(t *testing.T) {
	t.Parallel()
	p := progress{time.Minute, probe.Stats{
		Sent: 3000, NotSent: 7, Rate: 49.125, Lateness: probe.Lateness{P50: time.Microsecond, P99: time.Millisecond, Max: time.Second},
	}}
	back, err := readProgress(said([]byte(p.line())))
	require.NoError(t, err)
	require.Equal(t, p, back)
	_, err = readProgress([]string{"1"})
	require.ErrorIs(t, err, errLine)
}

// TestGreet names what does not fit: the version, or an image that is none.
func TestGreet(t *testing.T) {
	t.Parallel()
	require.NoError(t, greet(strings.TrimSuffix(hello("v1.2.3"), "\n")))
	require.ErrorContains(t, greet("l4-canary-prober 2 v9.9.9"), `its image holds l4-canary "v9.9.9", which speaks format "2" where this program speaks 1`)
	for _, line := range []string{"", `l4-canary: unknown command "prober" for "l4-canary"`, "nginx", "l4-canary-prober 1", "l4-canary-prober 1 a b"} {
		require.ErrorContains(t, greet(line), "knows nothing of probing from inside a cluster")
	}
	require.Less(t, len(greet("l4-canary-prober "+strings.Repeat("9", 5000)+" v1").Error()), 300)
}

func TestErrorLine(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, saidError(said([]byte(errorLine(errors.New("no such\nhost"))))), `it cannot work: "no such\nhost"`)
	long := saidError(said([]byte(errorLine(errors.New(strings.Repeat("x", 2*maxText))))))
	require.ErrorContains(t, long, strings.Repeat("x", maxText))
	for _, fields := range [][]string{nil, {"!"}, {"a", "b"}, {strings.Repeat("AAAA", maxText)}} {
		require.ErrorIs(t, saidError(fields), errLine)
	}
}

// FuzzLine: whatever a pod says, it is understood or refused; what is understood is what
// was said.
func FuzzLine(f *testing.F) {
	d := newDecoder(f)
	f.Add("0 0 0 a s 0 0 1 1 1 1 1 - -")
	f.Add("zz 2 1 x b 1 2 3 4 5 6 7 bG9iYnk -")
	f.Add(strings.Join(said(flowLine(nil, probe.Flow{Class: probe.Answered}, 0, sealed(d.seal, []byte("220 old")))), " "))
	f.Add("1o 2s 3 4 5 6 7")
	f.Fuzz(func(t *testing.T, text string) {
		fields := strings.Split(text, " ")
		if flow, err := d.flow(fields); err == nil {
			answer := nothing
			if !flow.Told {
				answer = fields[13]
			}
			again, err := d.flow(said(flowLine(nil, flow, slices.Index(twoAddresses, flow.Address), answer)))
			require.NoError(t, err)
			require.Equal(t, flow, again)
		}
		if p, err := readProgress(fields); err == nil {
			again, err := readProgress(said([]byte(p.line())))
			require.NoError(t, err)
			require.InDelta(t, p.stats.Rate, again.stats.Rate, 0.002)
			again.stats.Rate = p.stats.Rate
			require.Equal(t, p, again)
		}
		_ = (&decoder{}).setAddresses(fields)
		_ = saidError(fields)
		_ = greet(text)
	})
}

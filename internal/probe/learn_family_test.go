package probe

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// family makes the answers of one service: the same parts in the same order from
// every pod, some of which depend on the version, the pod, the moment or chance.
type family struct {
	random *rand.Rand
	parts  []part
	tells  bool // one part is the version, in a form that nobody could mistake
}

type part func(p *member, now time.Time, nth int) string

// member is a pod.
type member struct {
	version    string // of one side
	kind       int    // 0 or 1: the side
	name       string
	hash       string
	address    string
	id         string // its own, that nobody outside of it knows
	started    time.Time
	nth, delta int
}

func newMember(random *rand.Rand, kind int, version string, started time.Time) *member {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	word := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte(letters[random.IntN(len(letters))])
		}
		return b.String()
	}
	id := make([]byte, 8)
	for i := range id {
		id[i] = byte(random.Uint32())
	}
	hash := []string{"7d9f4b5c6d", "66c8b9d7f5"}[kind]
	return &member{
		version: version, kind: kind, hash: hash, name: "lobby-" + hash + "-" + word(5),
		address: fmt.Sprintf("10.244.%d.%d", random.IntN(4), 1+random.IntN(250)), id: hex.EncodeToString(id), started: started,
		delta: random.IntN(3000),
	}
}

// versions are pairs as projects write them, with what stands before them.
var versions = [][3]string{
	{"version ", "1.8.2", "1.9.0"}, {"v", "1.1.0", "1.1.10"}, {"nginx/", "1.27", "1.27.1"}, {`"version":"`, "2.0", "2.0.1"},
	{"commit=", "3f2a9c1", "77aa010"}, {"MariaDB ", "10.11.6-MariaDB-1", "10.11.60-MariaDB-1"}, {"", "v9", "v10"},
	{"redis_version:", "7.0.15", "7.2.4"}, {"build: ", "4711", "4712"},
}

// parts that no one can tell a version by.
func noise(random *rand.Rand) part {
	all := []part{
		func(*member, time.Time, int) string { return "hello" },
		func(*member, time.Time, int) string { return "lobby ready" },
		func(_ *member, now time.Time, _ int) string { return "Date: " + now.UTC().Format(time.RFC1123) },
		func(_ *member, now time.Time, _ int) string { return now.UTC().Format(time.RFC3339) },
		func(_ *member, now time.Time, _ int) string { return now.UTC().Format(time.ANSIC) },
		func(_ *member, now time.Time, _ int) string { return fmt.Sprintf("ts=%d", now.Unix()) },
		func(_ *member, now time.Time, _ int) string { return fmt.Sprintf("ms=%d", now.UnixMilli()) },
		func(_ *member, now time.Time, _ int) string { return fmt.Sprintf("day %s", now.Format(time.DateOnly)) },
		func(_ *member, now time.Time, _ int) string { return fmt.Sprintf("minute %d", now.Minute()) },
		func(_ *member, now time.Time, _ int) string { return fmt.Sprintf("%d players", now.Unix()/100%1000) },
		func(m *member, _ time.Time, _ int) string { return "pod " + m.name },
		func(m *member, _ time.Time, _ int) string { return "from " + m.address },
		func(m *member, _ time.Time, _ int) string { return "hash " + m.hash },
		func(m *member, _ time.Time, _ int) string { return "instance " + m.id },
		func(m *member, _ time.Time, _ int) string { return []string{"leader", "follower"}[m.delta%2] },
		func(m *member, _ time.Time, _ int) string {
			return `"role":"` + []string{"alpha", "beta"}[m.delta%2] + `"`
		},
		func(m *member, now time.Time, _ int) string {
			return "state: " + map[bool]string{true: "warming", false: "serving"}[now.Sub(m.started) < 10*time.Minute]
		},
		func(m *member, _ time.Time, _ int) string { return m.id },
		func(m *member, _ time.Time, _ int) string { return `{"k":"` + m.id[:7] + `"}` },
		func(m *member, _ time.Time, _ int) string { return "since " + m.started.Format(time.RFC3339Nano) },
		func(m *member, _ time.Time, _ int) string { return "started " + m.started.Format(time.DateOnly) },
		func(m *member, now time.Time, _ int) string {
			return fmt.Sprintf("up %d days", int(now.Sub(m.started).Hours())/24)
		},
		func(m *member, now time.Time, _ int) string {
			return fmt.Sprintf("uptime: %.1fs", now.Sub(m.started).Seconds())
		},
		func(m *member, _ time.Time, nth int) string { return fmt.Sprintf("request %d", m.delta+nth) },
		func(m *member, _ time.Time, nth int) string {
			return fmt.Sprintf("\x00%c%c\x00", byte(nth), byte(m.delta>>2))
		},
		func(*member, time.Time, int) string { return fmt.Sprintf("nonce=%x", random.Uint64()) },
		func(*member, time.Time, int) string { return fmt.Sprintf("cookie: %08b", random.Uint32()) },
		func(*member, time.Time, int) string { return []string{"heads", "tails", ""}[random.IntN(3)] },
		func(*member, time.Time, int) string { return strings.Repeat("z", random.IntN(4)) },
	}
	return all[random.IntN(len(all))]
}

func newFamily(seed uint64) (*family, [2]string) {
	f := &family{random: rand.New(rand.NewPCG(seed, 4))}
	for range 1 + f.random.IntN(7) {
		f.parts = append(f.parts, noise(f.random))
	}
	pair := versions[f.random.IntN(len(versions))]
	if f.random.IntN(4) > 0 { // else nothing tells the versions apart
		f.tells = true
		at := f.random.IntN(len(f.parts) + 1)
		f.parts = append(f.parts[:at:at], append([]part{func(m *member, _ time.Time, _ int) string { return pair[0] + m.version }}, f.parts[at:]...)...)
	}
	if f.random.IntN(2) == 0 {
		return f, [2]string{pair[2], pair[1]} // a rollback is a rollout too
	}
	return f, [2]string{pair[1], pair[2]}
}

// answer is what a pod says.
func (f *family) answer(m *member, now time.Time) []byte {
	separators := []string{"\r\n", " ", ", ", "\t", "|"}
	var said []string
	m.nth++
	for _, p := range f.parts {
		said = append(said, p(m, now, m.nth))
	}
	text := strings.Join(said, separators[len(f.parts)%len(separators)])
	if len(f.parts)%2 == 0 {
		return []byte(text + "\n")
	}
	return []byte(text)
}

func (f *family) ask(m *member, now time.Time) Heard {
	return Heard{Pod: m.name, Own: []string{m.address}, Answer: f.answer(m, now)}
}

// TestLearnNeverErrs has answers of services of every kind. What is learned has to
// know pods that nobody has asked, hours later, or nothing may be learned.
func TestLearnNeverErrs(t *testing.T) {
	t.Parallel()
	learned, telling := 0, 0
	for seed := range uint64(1000) {
		f, names := newFamily(seed)
		begin := time.Unix(1764075500+f.random.Int64N(86400), f.random.Int64N(1e9))
		pods := [2][]*member{}
		for range 1 + f.random.IntN(4) {
			pods[0] = append(pods[0], newMember(f.random, 0, names[0], begin.Add(-time.Duration(f.random.Int64N(int64(900*time.Hour))))))
		}
		for range 8 {
			pods[1] = append(pods[1], newMember(f.random, 1, names[1], begin.Add(time.Minute+time.Duration(f.random.Int64N(int64(5*time.Second))))))
		}
		c, err := Learn(f.evidence(pods, begin))
		if f.tells {
			telling++
		}
		if err != nil {
			var alike *AlikeError
			require.True(t, errors.As(err, &alike), "seed %d: %v", seed, err)
			require.False(t, f.tells, "seed %d: %v", seed, err)
			continue
		}
		learned++
		later := begin.Add(2 * time.Minute)
		for range 60 {
			later = later.Add(time.Duration(f.random.Int64N(int64(time.Hour))))
			side := f.random.IntN(2)
			member := pods[side][f.random.IntN(len(pods[side]))]
			answer := f.answer(member, later)
			got, _ := c.Classify(answer)
			require.Equal(t, []Version{Stable, Canary}[side], got, "seed %d, %s: %q", seed, c, answer)
		}
	}
	require.Equal(t, telling, learned, "what tells nothing was learned from")
	require.Greater(t, telling, 600)
}

// evidence is a baseline of six seconds, and a minute later up to three pods of each side
// asked side by side.
func (f *family) evidence(pods [2][]*member, begin time.Time) Evidence {
	var e Evidence
	for i := range 300 {
		e.Stable = append(e.Stable, Heard{Answer: f.answer(pods[0][f.random.IntN(len(pods[0]))], begin.Add(time.Duration(i)*20*time.Millisecond))})
	}
	asked := begin.Add(66 * time.Second)
	for round := range 8 {
		now := asked.Add(time.Duration(round) * 250 * time.Millisecond)
		for i := range min(3, len(pods[0])) {
			e.Stable = append(e.Stable, f.ask(pods[0][i], now))
		}
		for i := range 1 + f.random.IntN(2)*2 {
			e.Canary = append(e.Canary, f.ask(pods[1][i], now))
		}
	}
	return e
}

func FuzzLearn(f *testing.F) {
	f.Add("1.8.2 a\n", "1.8.2 b\n", "1.9.0 c\n", "1.9.0 d\n")
	f.Add("HTTP/1.1 200 OK\r\nDate: x\r\n\r\nhello", "", "\x00\xff.", "-a.-")
	f.Add("hello 17\n", "hello 4711\n", "hello 3 beta\n", "hello 12 beta\n")
	f.Fuzz(func(t *testing.T, s1, s2, c1, c2 string) {
		e := Evidence{Stable: heard(s1, s2), Canary: heard(c1, c2)}
		c, err := Learn(e)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.NotEmpty(t, c.String())
		for _, h := range e.Stable {
			version, _ := c.Classify(h.Answer)
			require.Equal(t, Stable, version)
		}
		for _, h := range e.Canary {
			version, _ := c.Classify(h.Answer)
			require.Equal(t, Canary, version)
			part := Flow{Class: Reset, Answer: h.Answer[:len(h.Answer)/2]}
			c.Attribute(&part)
		}
	})
}

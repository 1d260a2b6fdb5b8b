package probe

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// BenchmarkLearn has 4 MiB of answers, as much of a baseline as is kept, in pages that are
// nearly as long as anything that is read, all different: alike but for the version, alike, and without a line in common.
func BenchmarkLearn(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	page := func() string {
		var text strings.Builder
		for text.Len() < 60_000 {
			fmt.Fprintf(&text, "<li id=\"%x\">word%d text</li>\n", random.Uint32(), random.IntN(500))
		}
		return text.String()
	}
	one, other := page(), page()
	evidence := func(canary, version string) (e Evidence) {
		answer := func(page, version string) []byte {
			return fmt.Appendf(nil, "nonce %x\n%s<footer>app %s</footer>", random.Uint64(), page, version)
		}
		for range 64 {
			e.Stable = append(e.Stable, Heard{Answer: answer(one, "1.8.2")})
		}
		for i := range 24 {
			e.Canary = append(e.Canary, Heard{Pod: fmt.Sprint(i % 3), Answer: answer(canary, version)})
		}
		return e
	}
	for name, e := range map[string]Evidence{
		"version": evidence(one, "1.9.0"), "alike": evidence(one, "1.8.2"), "another page": evidence(other, "1.8.2"),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := Learn(e)
				if (err == nil) != (name != "alike") {
					b.Fatal(err)
				}
			}
		})
	}
}

package soak

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	exits := map[string]int{"promoted": 0, "rolled-back": 1, "refused": 2}
	names := map[string]bool{}
	for _, fault := range Faults() {
		require.False(t, names[fault.Name], "%s twice", fault.Name)
		names[fault.Name] = true
		require.NotEmpty(t, fault.What, fault.Name)
		require.NotEmpty(t, fault.Right, fault.Name)
		for _, end := range fault.Right {
			exit, known := exits[end.Outcome]
			require.True(t, known, "%s: %s", fault.Name, end)
			require.Equal(t, exit, end.Exit, "%s: %s", fault.Name, end)
			require.Equal(t, end.Outcome == "promoted", end.Reason == "PASS", "%s: %s", fault.Name, end)
			require.True(t, fault.Is(end))
		}
		require.False(t, fault.Is(End{"interrupted", 130, "CANCELLED"}), fault.Name)
		require.False(t, fault.Is(End{fault.Right[0].Outcome, 4, fault.Right[0].Reason}), "the exit status counts")
		if fault.Env != "" || fault.Missing {
			require.NotContains(t, fault.Right, promoted, "%s: what is wrong with it is found", fault.Name)
		}
	}
}

func TestDeal(t *testing.T) {
	t.Parallel()
	faults := Faults()
	dealt := Deal(7, 50, faults)
	require.Len(t, dealt, 50)
	require.Equal(t, names(dealt), names(Deal(7, 50, faults)), "a seed deals the same")
	require.NotEqual(t, names(dealt), names(Deal(8, 50, faults)))
	require.Equal(t, names(dealt)[:8], names(Deal(7, 8, faults)), "a short row is the beginning of a long one")
	seen, versions, modes := map[string]int{}, map[string]bool{}, map[string]bool{}
	for i, r := range dealt {
		require.Equal(t, i+1, r.Number)
		require.False(t, versions[r.Version], "version %s twice", r.Version)
		require.Regexp(t, regexp.MustCompile(`^\w[\w.-]{0,127}$`), r.Version, "an image's tag")
		versions[r.Version] = true
		seen[r.Fault.Name]++
		modes[r.Service.Namespace+r.Finish+r.Removal] = true
	}
	for _, fault := range faults {
		require.GreaterOrEqual(t, seen[fault.Name], 2, fault.Name)
	}
	require.Greater(t, len(modes), 10, "many ways to roll out: %v", modes)
}

func names(rollouts []Rollout) []string {
	var all []string
	for _, r := range rollouts {
		all = append(all, r.String())
	}
	return all
}

// TestDealSuits: whatever chance says, a rollout is one that can be carried out, and in
// which its fault can happen.
func TestDealSuits(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		for _, r := range Deal(seed, 18, Faults()) {
			switch {
			case r.Service.Pair:
				require.Contains(t, []string{"keep", "delete"}, r.Finish, r)
			default:
				require.Contains(t, []string{"adopt", "handover"}, r.Finish, r)
			}
			if r.Fault.Suits != nil {
				require.True(t, r.Fault.Suits(r.Service), r)
			}
			if r.Fault.Pause != "" {
				require.True(t, strings.HasPrefix(r.Steps, "50:"+r.Fault.Pause), r)
			}
			if r.Fault.Name == "parked pod deleted" {
				require.True(t, r.Service.Parks() && r.Removal == "auto", r)
			}
			require.False(t, r.Learned && (r.Fault.Env != "" || r.Fault.Missing), "%s: what fails cannot be learned from", r)
			require.Positive(t, r.Surge, r)
			require.Regexp(t, `^[\w -]+$`, r.Name(), "kubectl splits paths at commas")
		}
	}
}

// TestDealOne: with one fault only, every rollout has it.
func TestDealOne(t *testing.T) {
	t.Parallel()
	for _, r := range Deal(1, 5, Faults()[3:4]) {
		require.Equal(t, Faults()[3].Name, r.Fault.Name)
	}
}

package soak

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Service is one that is rolled out again and again, in a namespace of its own.
type Service struct {
	Namespace string
	Pair      bool // two Deployments take turns; else a copy of the only one comes and goes
	UDP       bool // beside TCP
	Equal     bool // its selector is the Deployment's, so pods are parked by release
}

// Services are one for each way in which pods are exchanged and leave.
func Services() []Service {
	return []Service{
		{Namespace: "single"},
		{Namespace: "single-equal", Equal: true},
		{Namespace: "single-udp", UDP: true},
		{Namespace: "pair", Pair: true},
		{Namespace: "pair-udp", Pair: true, UDP: true},
	}
}

// Parks reports whether pods of the Service are parked before they end.
func (s Service) Parks() bool { return !s.UDP }

// Rollout is what one rollout of the row is like.
type Rollout struct {
	Number  int // from 1
	Service Service
	Fault   Fault
	Version string // that is rolled out
	Steps   string
	Surge   int
	Finish  string
	Removal string
	Learned bool          // which version answers is learned, and not said
	Moment  time.Duration // from when something may happen until it does
}

// Name is the rollout's, of letters, digits and spaces: folders are called after it.
func (r Rollout) Name() string {
	return fmt.Sprintf("%d %s of %s", r.Number, r.Fault.Name, r.Service.Namespace)
}

// String is all that is special about the rollout.
func (r Rollout) String() string {
	return fmt.Sprintf("%s: %s, steps %s, surge %d, finish %s, removal %s, learned %t, moment %s", r.Name(),
		r.Version, r.Steps, r.Surge, r.Finish, r.Removal, r.Learned, r.Moment)
}

// Replicas are the pods of every Service.
const Replicas = 3

// Deal makes up so many rollouts. Each round of them has every fault once, and two rollouts
// that nothing happens to, in a chance order. The same seed deals the same.
func Deal(seed uint64, count int, faults []Fault) []Rollout {
	chance := rand.New(rand.NewPCG(seed, 0))
	var deck []Fault
	rollouts := make([]Rollout, 0, count)
	for number := 1; number <= count; number++ {
		if len(deck) == 0 {
			deck = slices.Clone(faults)
			if len(deck) > 2 && deck[0].Name == "nothing" {
				deck = append(deck, deck[0])
			}
			chance.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		rollouts = append(rollouts, deal(chance, number, deck[0]))
		deck = deck[1:]
	}
	return rollouts
}

// deal makes up one.
func deal(chance *rand.Rand, number int, fault Fault) Rollout {
	services := slices.DeleteFunc(Services(), func(s Service) bool { return fault.Suits != nil && !fault.Suits(s) })
	r := Rollout{
		Number: number, Service: pick(chance, services), Fault: fault, Version: version(chance, number), Surge: 1 + chance.IntN(2),
		Finish: "adopt", Removal: "auto", Moment: time.Duration(chance.IntN(8000)) * time.Millisecond,
		Learned: fault.Name == "nothing" && chance.IntN(2) == 0,
	}
	switch {
	case r.Service.Pair:
		r.Finish = pick(chance, []string{"keep", "keep", "delete"})
	case chance.IntN(2) == 0:
		r.Finish = "handover"
	}
	if r.Service.Parks() && fault.Name != "parked pod deleted" && chance.IntN(3) == 0 {
		r.Removal = "terminate"
	}
	r.Steps = pick(chance, []string{"50,100", "25,50,100", "33.3,66.7,100", "100", "auto"})
	switch {
	case fault.Pause != "":
		r.Steps = "50:" + fault.Pause + ",100"
	case fault.Env != "":
		r.Steps = pick(chance, []string{"50,100", "25,50,100"}) // a new version that fails alone fails differently
	}
	return r
}

func pick[T any](chance *rand.Rand, of []T) T { return of[chance.IntN(len(of))] }

// version is a tag as people choose them, and no other rollout's.
func version(chance *rand.Rand, number int) string {
	return pick(chance, []string{
		fmt.Sprintf("%d.%d.%d", chance.IntN(3), number, chance.IntN(20)),
		fmt.Sprintf("v2.0.0-rc.%d", number),
		fmt.Sprintf("2026.11.%d_%d", 1+chance.IntN(30), number),
		fmt.Sprintf("sha-%06x%02x", chance.IntN(1<<24), number),
	})
}

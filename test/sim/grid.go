package main

import "github.com/org/l4-canary/internal/rollout"

// questions are what share tests are asked: each confidence and share with each
// tolerance. Where a tolerance is cut to half the share, wider ones are the same
// question and stand once; 100 % has no tolerance.
func questions() []*question {
	var all []*question
	for _, confidence := range []rollout.Percent{95, 99} {
		for _, share := range shares() {
			widths := []rollout.Percent{5, 3, 2.5}
			for i, tolerance := range widths {
				if cut := min(share, 100-share) / 2; i+1 < len(widths) && widths[i+1] >= cut {
					continue
				}
				all = append(all, newQuestion(confidence, share, tolerance))
			}
		}
	}
	return all
}

// shares are what the balancer is expected to give the canary.
func shares() []rollout.Percent { return []rollout.Percent{5, 10, 25, 50, 80, 100} }

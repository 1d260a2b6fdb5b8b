package main

// parts are the generated parts of the page, by their markers.
func (b bench) parts() map[string]string {
	return map[string]string{
		"simulated at a glance": b.glance(),
		"simulated right":       b.right(),
		"simulated wrong":       b.wrong(),
		"simulated shares":      b.cells(),
		"simulated balancers":   b.balancers(),
		"simulated judgements":  b.judgements(),
	}
}

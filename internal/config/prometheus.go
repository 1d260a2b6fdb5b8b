package config

// Prometheus is who is asked for numbers, and which. Others read it.
type Prometheus struct {
	URL     string // empty: nobody is asked
	Token   string
	Queries string // YAML, or the name of a file
}

// prometheus is who is asked what: both, or neither.
func (r *reader) prometheus() Prometheus {
	p := Prometheus{URL: r.text("prometheus-url"), Token: r.text("prometheus-token"), Queries: r.text("prometheus-queries")}
	switch {
	case p.URL == "" && p.Queries != "":
		r.reject("prometheus-url", "missing beside input \"prometheus-queries\": the address of the server that is asked")
	case p.URL != "" && p.Queries == "":
		r.reject("prometheus-queries", "missing beside input \"prometheus-url\": what is asked there")
	case p.URL == "" && p.Token != "":
		r.reject("prometheus-url", "missing beside input \"prometheus-token\"")
	}
	return p
}

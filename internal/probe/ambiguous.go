package probe

// Ambiguous reports whether both patterns match an answer: then they, and not the
// service, are wrong.
func (c *Classifier) Ambiguous(answer []byte) bool {
	if c == nil {
		return false
	}
	_, stable := c.stable.match(answer)
	_, canary := c.canary.match(answer)
	return stable && canary
}

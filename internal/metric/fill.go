package metric

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/org/l4-canary/internal/rollout"
)

// Names are what placeholders stand for.
type Names struct{ Canary, Stable, Namespace, Service string }

// placeholders are their names, in the order of messages.
var placeholders = []string{"canary", "stable", "namespace", "service"}

// placeholder is one of them in a query. White space is allowed, as people write it.
var placeholder = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// checkPlaceholders says what is wrong with those of a query. PromQL itself has no place
// for two braces in a row.
func checkPlaceholders(expr string) error {
	for _, found := range placeholder.FindAllStringSubmatch(expr, -1) {
		if !slices.Contains(placeholders, found[1]) {
			return fmt.Errorf("placeholder %q is unknown: allowed are %s", found[0], allPlaceholders())
		}
	}
	if rest := placeholder.ReplaceAllString(expr, ""); strings.Contains(rest, "{{") || strings.Contains(rest, "}}") {
		return fmt.Errorf("two braces in a row are a placeholder, and here is none: allowed are %s", allPlaceholders())
	}
	return nil
}

func allPlaceholders() string {
	var all []string
	for _, name := range placeholders {
		all = append(all, "{{"+name+"}}")
	}
	return listing(all)
}

// names reports whether a query has a placeholder.
func names(expr, name string) bool {
	return slices.ContainsFunc(placeholder.FindAllStringSubmatch(expr, -1), func(found []string) bool { return found[1] == name })
}

// Fill puts the names into queries. Names of Kubernetes objects need no quoting in
// PromQL, neither in a string nor, but for a dot that stands for any character, in a
// regular expression.
func Fill(queries []rollout.Query, n Names) []rollout.Query {
	values := map[string]string{"canary": n.Canary, "stable": n.Stable, "namespace": n.Namespace, "service": n.Service}
	filled := slices.Clone(queries)
	for i := range filled {
		filled[i].Expr = placeholder.ReplaceAllStringFunc(filled[i].Expr, func(found string) string {
			return values[placeholder.FindStringSubmatch(found)[1]]
		})
	}
	return filled
}

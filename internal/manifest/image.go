package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// substitution is one line of the input images.
type substitution struct {
	Line string // as it was written
	From string // a repository, or deployment/container; empty: the repository of Ref
	Ref  string // what takes its place
}

// parseSubstitution reads one line: "ref", "name=ref" or "deployment/container=ref".
// Names are read as container engines do: "nginx" is docker.io/library/nginx,
// https://github.com/distribution/reference/blob/v0.6.0/normalize.go#L25
func parseSubstitution(line string) (substitution, error) {
	s := substitution{Line: line, Ref: line}
	if from, ref, named := strings.Cut(line, "="); named {
		s.From, s.Ref = strings.TrimSpace(from), strings.TrimSpace(ref)
		if s.From == "" {
			return s, fmt.Errorf("%q: nothing stands before \"=\"", line)
		}
		if s.Ref == "" {
			return s, fmt.Errorf("%q: nothing stands behind \"=\"", line)
		}
	}
	if _, err := reference.ParseNormalizedNamed(s.Ref); err != nil {
		if s.From == "" {
			return s, fmt.Errorf("%q is no image: %w", line, err)
		}
		return s, fmt.Errorf("%q: %q is no image: %w", line, s.Ref, err)
	}
	return s, nil
}

// Substitute puts images into the pod templates of a set, line by line, the first that
// fits a container. A line that fits none is an error. The error is [Problems].
func (s Set) Substitute(lines []string) error {
	var problems Problems
	var changes []substitution
	for _, line := range lines {
		change, err := parseSubstitution(line)
		if err != nil {
			problems = append(problems, Problem{Message: fmt.Sprintf("input %q: %v", "images", err),
				Hint: "a line is an image, such as ghcr.io/acme/lobby:1.2, or name=image, or deployment/container=image"})
			continue
		}
		changes = append(changes, change)
	}
	used := make([]bool, len(changes))
	var there []string
	for _, object := range s.Objects {
		if !isWorkload(object) {
			continue
		}
		for _, container := range containers(object, "initContainers", "containers") {
			image := text(container, "image")
			there = append(there, fmt.Sprintf("%s/%s=%s", object.GetName(), text(container, "name"), image))
			at := slices.IndexFunc(changes, func(c substitution) bool { return c.fits(object, text(container, "name"), image) })
			if at >= 0 {
				container["image"], used[at] = changes[at].Ref, true
			}
		}
	}
	for i, change := range changes {
		if !used[i] {
			problems = append(problems, Problem{
				Message: fmt.Sprintf("input %q: %q fits no container of the manifests; they have %s", "images", change.Line, conjoin(there)),
			})
		}
	}
	return append(problems, s.imageProblems()...).orNil()
}

// imageProblems are images that no node could pull, such as those with a variable that nobody
// filled in: an API server takes them.
func (s Set) imageProblems() Problems {
	var problems Problems
	for _, object := range s.Objects {
		if !isWorkload(object) {
			continue
		}
		for _, container := range containers(object, "initContainers", "containers") {
			image := text(container, "image")
			_, err := reference.ParseNormalizedNamed(image)
			if image == "" || err == nil {
				continue
			}
			problem := Problem{Place: object.Place, Message: fmt.Sprintf("%s: container %q has image %q, which is none", object.Title(), text(container, "name"), image)}
			if strings.Contains(image, "$") {
				problem.Hint = "fill the variable in before, or let input \"images\" name the image"
			} else {
				problem.Message += ": " + err.Error()
			}
			problems = append(problems, problem)
		}
	}
	return problems
}

// fits reports whether a container gets the image of this line.
func (c substitution) fits(object Object, container, image string) bool {
	if c.From == object.GetName()+"/"+container {
		return true
	}
	from := c.From
	if from == "" {
		from = c.Ref
	}
	return repository(from) != "" && repository(from) == repository(image)
}

// repository is an image's name without tag and digest, empty if it is none.
func repository(image string) string {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	return reference.TrimNamed(named).Name()
}

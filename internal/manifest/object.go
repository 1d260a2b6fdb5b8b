package manifest

import (
	"cmp"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Place is where something stands in a manifest. The zero value is nowhere: a live
// object.
type Place struct {
	File   string
	Line   int // from 1
	Column int // from 1; 0: the whole line
}

// String is the place as editors understand it, such as "k8s/lobby.yaml:12".
func (p Place) String() string {
	switch {
	case p.File == "":
		return "the cluster"
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Object is a Kubernetes object and where it stands.
type Object struct {
	*unstructured.Unstructured
	Place Place
}

// Title names the object in messages: Deployment "lobby-blue".
func (o Object) Title() string { return fmt.Sprintf("%s %q", o.GetKind(), o.GetName()) }

// copied is the object with a content of its own.
func (o Object) copied() Object { return Object{Unstructured: o.DeepCopy(), Place: o.Place} }

// Notice is something a reader of the log should know of.
type Notice struct {
	Place   Place
	Message string
}

// String is the notice on one line.
func (n Notice) String() string { return n.Place.String() + ": " + n.Message }

// Problem is something that must be mended before anything is written.
type Problem struct {
	Place   Place
	Message string
	Hint    string // advice, may be empty
}

// String is the problem on one line, without the hint.
func (p Problem) String() string {
	if p.Place == (Place{}) {
		return p.Message
	}
	return p.Place.String() + ": " + p.Message
}

// Problems are several at once. As an error it is a line per problem, each followed
// by its hint.
type Problems []Problem

// Error is a line per problem, each followed by its hint.
func (ps Problems) Error() string {
	var lines []string
	for _, p := range ps {
		lines = append(lines, p.String())
		if p.Hint != "" {
			lines = append(lines, "  hint: "+p.Hint)
		}
	}
	return strings.Join(lines, "\n")
}

// orNil is an error only if there are problems.
func (ps Problems) orNil() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// comparePlaces orders by file, then line.
func comparePlaces(a, b Place) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

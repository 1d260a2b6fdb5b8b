package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// document is one YAML document, or one JSON value, of a file.
type document struct {
	file string
	line int // of its first line in the file
	text string
}

func (d document) place(line, column int) Place {
	return Place{File: d.file, Line: d.line + line, Column: column}
}

// decode is the objects of one file.
func decode(in input) ([]Object, Problems) {
	data := bytes.TrimPrefix(in.data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		return nil, Problems{{Place: Place{File: in.name}, Message: "it is not text in UTF-8"}}
	}
	var objects []Object
	var problems Problems
	for _, doc := range split(in.name, strings.ReplaceAll(string(data), "\r\n", "\n")) {
		found, wrong := doc.objects()
		objects, problems = append(objects, found...), append(problems, wrong...)
	}
	return objects, problems
}

// split cuts a file at its document markers: "---" or "..." at the beginning of a
// line, which YAML keeps for this even inside block scalars. What follows "---" on its
// line belongs to the document.
func split(file, text string) []document {
	var docs []document
	current, number := document{file: file, line: 1}, 0
	var content strings.Builder
	flush := func(next int) {
		current.text = content.String()
		content.Reset()
		docs = append(docs, splitJSON(current)...)
		current = document{file: file, line: next}
	}
	for line := range strings.Lines(text) {
		number++
		switch bare := strings.TrimRight(line, "\n"); {
		case isMarker(bare, "---"):
			flush(number)
			content.WriteString(behindMarker(line))
		case isMarker(bare, "..."):
			flush(number)
			content.WriteString("\n")
		case strings.HasPrefix(line, "%") && isBlank(content.String()):
			content.WriteString("\n") // a directive: it says nothing about objects
		default:
			content.WriteString(line)
		}
	}
	flush(number)
	return docs
}

// behindMarker is what stands on a marker's line behind it, in the same column.
func behindMarker(line string) string {
	if isBlank(line[3:]) {
		return "\n"
	}
	return "   " + line[3:]
}

func isMarker(line, marker string) bool {
	rest, found := strings.CutPrefix(line, marker)
	return found && (rest == "" || rest[0] == ' ' || rest[0] == '\t')
}

// isBlank reports whether a text holds nothing but white space and comments.
func isBlank(text string) bool {
	for line := range strings.Lines(text) {
		if line = strings.Trim(line, " \t\r\n"); line != "" && line[0] != '#' {
			return false
		}
	}
	return true
}

// splitJSON cuts a document that is a sequence of JSON values into those. Anything
// else it leaves alone, also YAML that merely begins with a brace.
func splitJSON(doc document) []document {
	if isBlank(doc.text) {
		return nil
	}
	if !strings.HasPrefix(strings.TrimSpace(doc.text), "{") {
		return []document{doc}
	}
	var docs []document
	decoder := json.NewDecoder(strings.NewReader(doc.text))
	for decoder.More() {
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return []document{doc}
		}
		start := int(decoder.InputOffset()) - len(value)
		docs = append(docs, document{doc.file, doc.line + strings.Count(doc.text[:start], "\n"), string(value)})
	}
	return docs
}

// objects are what one document holds: nothing, an object, or the items of a list.
func (d document) objects() ([]Object, Problems) {
	data, err := yaml.YAMLToJSONStrict([]byte(d.text))
	look := d.look()
	if err != nil {
		return nil, look.explain(err)
	}
	if problems := look.disguised(); len(problems) > 0 {
		return nil, problems
	}
	var value any
	if err := utiljson.Unmarshal(data, &value); err != nil {
		return nil, Problems{{Place: d.start(), Message: err.Error()}}
	}
	switch content := value.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return d.flatten(content)
	}
	return nil, Problems{{Place: d.start(), Message: "it is not a Kubernetes object: apiVersion and kind are missing"}}
}

// flatten is an object, or the items of a List, whose items may leave apiVersion and
// kind to the list.
func (d document) flatten(content map[string]any) ([]Object, Problems) {
	kind, _ := content["kind"].(string)
	items, isList := content["items"].([]any)
	element, named := strings.CutSuffix(kind, "List")
	if !named || !isList {
		return []Object{{Unstructured: &unstructured.Unstructured{Object: content}, Place: d.start()}}, nil
	}
	var objects []Object
	var problems Problems
	for i, item := range items {
		object, ok := item.(map[string]any)
		if !ok {
			problems = append(problems, Problem{Place: d.start(), Message: fmt.Sprintf("item %d of the list is not an object", i+1)})
			continue
		}
		for key, value := range map[string]any{"apiVersion": content["apiVersion"], "kind": element} {
			if _, given := object[key]; !given && element != "" {
				object[key] = value
			}
		}
		found, wrong := d.flatten(object)
		objects, problems = append(objects, found...), append(problems, wrong...)
	}
	return objects, problems
}

// start is the first line that says something: the apiVersion where there is one.
func (d document) start() Place {
	first, number := -1, 0
	for line := range strings.Lines(d.text) {
		if strings.HasPrefix(line, "apiVersion:") {
			return d.place(number, 0)
		}
		if first < 0 && !isBlank(line) {
			first = number
		}
		number++
	}
	return d.place(max(first, 0), 0)
}

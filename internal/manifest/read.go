package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// standardInput is the source that means it, and standardInputName what messages call
// it.
const (
	standardInput     = "-"
	standardInputName = "standard input"
)

// Read reads all manifests: files, directories (their .yaml, .yml and .json files in
// the order of their names, without subdirectories, as kubectl does), globs, and "-"
// for standard input. A directory that holds a kustomization is rendered instead. A
// file that several sources name is read once. files takes the sources as they are:
// use [Dir], or any [fs.FS] for relative names.
//
// Deployments of removed API versions come back as apps/v1, with a notice each. The
// error is [Problems]: everything that is wrong in all files at once.
func Read(sources []string, files fs.FS, stdin io.Reader) (Set, []Notice, error) {
	var set Set
	var notices []Notice
	inputs, problems := expand(sources, files, stdin)
	for _, input := range inputs {
		objects, wrong := decode(input)
		problems = append(problems, wrong...)
		for _, written := range objects {
			object, notice := modernise(written)
			if notice != nil {
				notices = append(notices, *notice)
			}
			problems = append(problems, objectProblems(object)...)
			set.Objects = append(set.Objects, object)
		}
	}
	problems = append(problems, duplicates(set.Objects)...)
	if len(problems) == 0 && len(set.Objects) == 0 {
		problems = append(problems, Problem{Message: "the manifests hold no object at all: " + strings.Join(sources, ", ")})
	}
	if len(problems) > 0 {
		return Set{}, notices, problems
	}
	return set, notices, nil
}

// input is one file, or standard input.
type input struct {
	name string
	data []byte
}

// expand finds and reads the files of all sources.
func expand(sources []string, files fs.FS, stdin io.Reader) ([]input, Problems) {
	var inputs []input
	var problems Problems
	seen := map[string]bool{}
	for _, source := range sources {
		names, problem := resolve(source, files)
		if problem != nil {
			problems = append(problems, *problem)
		}
		for _, name := range names {
			if seen[name] {
				continue
			}
			seen[name] = true
			data, err := readOne(name, files, stdin)
			if err != nil {
				problems = append(problems, Problem{Place: Place{File: name}, Message: unreadable(name, err)})
				continue
			}
			if name == standardInput {
				name = standardInputName
			}
			inputs = append(inputs, input{name, data})
		}
	}
	return inputs, problems
}

func readOne(name string, files fs.FS, stdin io.Reader) ([]byte, error) {
	switch {
	case isKustomization(path.Base(name)):
		return render(files, name)
	case name != standardInput:
		file, err := files.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }() // only read from
		return whole(file)
	}
	if stdin == nil {
		return nil, errors.New("there is none")
	}
	return whole(stdin)
}

// mostRead is the most that is read of one file: an API server takes objects of some megabytes,
// and a device has no end.
const mostRead = 64 << 20

// whole is all that is to be read.
func whole(from io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(from, mostRead+1))
	if err == nil && len(data) > mostRead {
		err = fmt.Errorf("it holds more than %d MiB", mostRead>>20)
	}
	return data, err
}

// resolve is the files that one source names.
func resolve(source string, files fs.FS) ([]string, *Problem) {
	if source == standardInput {
		return []string{source}, nil
	}
	name := path.Clean(source)
	info, err := fs.Stat(files, name)
	switch {
	case err == nil && info.IsDir():
		return directory(name, files)
	case err == nil:
		return []string{name}, nil
	case strings.ContainsAny(source, "*?["):
		return glob(source, files)
	}
	return nil, &Problem{Place: Place{File: source}, Message: "it cannot be read: " + reason(err)}
}

// directory is the manifests that lie in a directory itself.
func directory(name string, files fs.FS) ([]string, *Problem) {
	entries, err := fs.ReadDir(files, name)
	if err != nil {
		return nil, &Problem{Place: Place{File: name}, Message: "it cannot be read: " + reason(err)}
	}
	var names []string
	for _, entry := range entries {
		if isKustomization(entry.Name()) {
			return []string{path.Join(name, entry.Name())}, nil
		}
		if !entry.IsDir() && isManifest(entry.Name()) {
			names = append(names, path.Join(name, entry.Name()))
		}
	}
	if len(names) == 0 {
		return nil, &Problem{Place: Place{File: name}, Message: "the directory holds no .yaml, .yml or .json file",
			Hint: "subdirectories are not read: name each of them"}
	}
	return names, nil
}

// glob is the manifests whose names match a pattern.
func glob(pattern string, files fs.FS) ([]string, *Problem) {
	if strings.Contains(pattern, "**") {
		return nil, &Problem{Place: Place{File: pattern}, Message: "** is not understood", Hint: "name each directory on a line of its own"}
	}
	matches, err := fs.Glob(files, path.Clean(pattern))
	if err != nil {
		return nil, &Problem{Place: Place{File: pattern}, Message: "the pattern is malformed"}
	}
	matches = slices.DeleteFunc(matches, func(name string) bool { return !isManifest(name) || isKustomization(path.Base(name)) })
	if len(matches) == 0 {
		return nil, &Problem{Place: Place{File: pattern}, Message: "it matches no .yaml, .yml or .json file"}
	}
	return matches, nil
}

func isManifest(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// unreadable says why a file gave nothing.
func unreadable(name string, err error) string {
	if isKustomization(path.Base(name)) {
		return "it cannot be rendered: " + err.Error()
	}
	return "it cannot be read: " + reason(err)
}

// reason is what went wrong, without the operation and the name that messages give
// already.
func reason(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "no such file or directory"
	}
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err.Error()
	}
	return err.Error()
}

// duplicates are objects that stand twice in the manifests.
func duplicates(objects []Object) Problems {
	type identity struct{ group, kind, namespace, name string }
	first := map[identity]Place{}
	var problems Problems
	for _, object := range objects {
		id := identity{group(object), object.GetKind(), object.GetNamespace(), object.GetName()}
		if place, seen := first[id]; seen {
			problems = append(problems, Problem{Place: object.Place,
				Message: fmt.Sprintf("%s stands in %s already", object.Title(), place)})
			continue
		}
		first[id] = object.Place
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return comparePlaces(a.Place, b.Place) })
	return problems
}

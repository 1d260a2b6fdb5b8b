package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// target is one fuzz target.
type target struct {
	dir  string // of its package, from the root
	name string
}

// find looks through the tests of a module, packages in order. Modules within it are
// others' business.
func find(root string, only *regexp.Regexp) ([]target, error) {
	var found []target
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (skipped(entry.Name()) || isModule(path)):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		names, err := targetsOf(path)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		for _, name := range names {
			if only.MatchString(name) {
				found = append(found, target{filepath.ToSlash(dir), name})
			}
		}
		return err
	})
	slices.SortStableFunc(found, func(a, b target) int { return strings.Compare(a.dir, b.dir) })
	return found, err
}

// skipped reports whether the go command leaves a directory out.
func skipped(name string) bool {
	return name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// isModule reports whether a directory is the root of a module.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// targetsOf are the fuzz targets of a file, as testing knows them: functions of a name
// that begins with Fuzz and one argument, a *testing.F.
func targetsOf(path string) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, declared := range file.Decls {
		function, ok := declared.(*ast.FuncDecl)
		if !ok || function.Recv != nil || !strings.HasPrefix(function.Name.Name, "Fuzz") || len(function.Type.Params.List) != 1 {
			continue
		}
		pointer, ok := function.Type.Params.List[0].Type.(*ast.StarExpr)
		if !ok {
			continue
		}
		if of, ok := pointer.X.(*ast.SelectorExpr); ok && of.Sel.Name == "F" {
			names = append(names, function.Name.Name)
		}
	}
	return names, nil
}

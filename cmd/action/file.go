package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/org/l4-canary/internal/config"
)

// mostRead is the most that is read of a file that an input names: nobody writes so much, and a
// device has no end.
const mostRead = 8 << 20

// path is a file's name as the process sees it.
func (c *Command) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.Dir, name)
}

// read is a whole file that an input names.
func (c *Command) read(name string) ([]byte, error) {
	file, err := os.Open(c.path(name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read from
	data, err := io.ReadAll(io.LimitReader(file, mostRead+1))
	if err == nil && len(data) > mostRead {
		err = fmt.Errorf("%s holds more than %d MiB", name, mostRead>>20)
	}
	return data, err
}

// checkFiles adds to the problems of the inputs those of the files that are to be written. What
// cannot be is not tried.
func (c *Command) checkFiles(faces *config.Faces, err error) error {
	problems, ok := errors.AsType[config.Problems](err)
	if err != nil && !ok {
		return err
	}
	found := len(problems)
	seen := map[string]string{}
	for _, file := range faces.Files() {
		if *file.Path == "" {
			continue
		}
		place := filepath.Clean(c.path(*file.Path))
		allowed := c.unwritable(*file.Path)
		if other := seen[place]; other != "" {
			allowed = fmt.Sprintf("it must differ from input %q, which names the same file", other)
		}
		seen[place] = file.Input
		if allowed != "" {
			problems = append(problems, config.Problem{Input: file.Input, Value: *file.Path, Allowed: allowed})
			*file.Path = ""
		}
	}
	if len(problems) == found {
		return err
	}
	return problems
}

// unwritable says what stands in the place of a file that is to be written, if it is no file.
// Folders that are missing are made.
func (c *Command) unwritable(name string) string {
	info, err := os.Stat(c.path(name))
	switch {
	case strings.HasSuffix(name, "/"), err == nil && info.IsDir():
		return "the name of a file, and this is one of a directory"
	case errors.Is(err, syscall.ENOTDIR):
		return "the name of a file, and a part of it is a file already"
	}
	return ""
}

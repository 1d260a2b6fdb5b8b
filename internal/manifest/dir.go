package manifest

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Dir is the file system as a command line sees it from a working directory: relative
// names start there, absolute names and ".." work too, which [os.DirFS] refuses.
type Dir string

// Open opens a file or directory for reading.
func (d Dir) Open(name string) (fs.File, error) {
	return os.Open(d.path(name))
}

// path is a name as the process sees it.
func (d Dir) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(string(d), name)
}

package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// sparedFor is how long a binary stays after Build has last returned it: another
// process may be about to make a lab with it.
const sparedFor = time.Hour

// folderRule is that of the folders that Build makes. What else lies in the cache
// is not for Prune to touch.
var folderRule = regexp.MustCompile(`^(` + nodeName + `|` + workloadName + `)-[0-9a-f]{` + strconv.Itoa(keyLength) + `}$`)

// folder is one that Build has made.
type folder struct {
	dir  string
	path string    // of the binary
	used time.Time // when Build last returned the binary; zero if there is none
}

// Prune removes old binaries with their folders. Of each name these stay: the
// paths to keep, the one of the others that was used last, so that one can go back
// and forth between two checkouts, and all that was used within an hour or is
// being built.
func (s Store) Prune(keep ...string) error {
	others, err := s.others(keep)
	if err != nil {
		return err
	}
	var problems []error
	for _, folders := range others {
		slices.SortFunc(folders, func(a, b folder) int { return b.used.Compare(a.used) })
		for _, old := range folders[1:] {
			problems = append(problems, s.remove(old))
		}
	}
	return errors.Join(problems...)
}

// others lists, by name, the folders without those of the paths to keep.
func (s Store) others(keep []string) (map[string][]folder, error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("listing the cache: %w", err)
	}
	found := map[string][]folder{}
	for _, entry := range entries {
		match := folderRule.FindStringSubmatch(entry.Name())
		if match == nil || !entry.IsDir() {
			continue
		}
		name, dir := match[1], filepath.Join(s.Dir, entry.Name())
		path := filepath.Join(dir, name)
		if !slices.ContainsFunc(keep, func(kept string) bool { return same(kept, path) }) {
			found[name] = append(found[name], folder{dir: dir, path: path, used: lastUse(path)})
		}
	}
	return found, nil
}

// same tells whether both paths lead to one file, by links perhaps.
func same(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// lastUse is when Build last returned the binary; zero if there is none.
func lastUse(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// remove removes a folder and then its lock, unless the folder is in use.
func (s Store) remove(old folder) error {
	lock, err := tryLock(old.dir)
	if err != nil {
		return fmt.Errorf("locking the cache: %w", err)
	}
	if lock == nil {
		return nil
	}
	defer func() { _ = lock.Close() }()
	if time.Since(lastUse(old.path)) < sparedFor { // looked at again: now nobody can begin to use it
		return nil
	}
	for _, path := range []string{old.dir, lock.Name()} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("removing an old binary: %w", err)
		}
	}
	s.say("removed %s, which no lab uses any more", old.dir)
	return nil
}

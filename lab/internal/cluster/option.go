package cluster

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// DefaultName is the lab's name where none is given.
const DefaultName = "lab"

// Options of a lab.
type Options struct {
	Name      string
	Nodes     int
	ProxyMode ProxyMode
	DualStack bool
	Program   string `json:",omitempty"` // path of a static binary that images of its name hold; empty: none
}

// Clash is what is wrong with asking for these options of a lab that runs with others.
func (o Options) Clash(running Options) error {
	if o == running {
		return nil
	}
	return fmt.Errorf("lab %q runs with --nodes %d --proxy-mode %s --dual-stack=%t --program=%q; first: lab down --name %s",
		o.Name, running.Nodes, running.ProxyMode, running.DualStack, running.Program, o.Name)
}

// nameRule keeps names short enough for a Unix socket below the state folder
// and, with a suffix, for the name of a network device (15 characters).
var nameRule = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$`)

// Validate reports everything that is wrong with the options, together.
func (o Options) Validate() error {
	var problems []error
	if err := ValidateName(o.Name); err != nil {
		problems = append(problems, err)
	}
	if o.Nodes < 1 || o.Nodes > 2 {
		problems = append(problems, fmt.Errorf("--nodes %d: must be 1 or 2", o.Nodes))
	}
	if modes := []ProxyMode{NFTables, IPTables}; !slices.Contains(modes, o.ProxyMode) {
		problems = append(problems, fmt.Errorf("--proxy-mode %q: must be one of %q", o.ProxyMode, modes))
	}
	return errors.Join(problems...)
}

// ValidateName reports what is wrong with a lab's name.
func ValidateName(name string) error {
	if nameRule.MatchString(name) {
		return nil
	}
	return fmt.Errorf("--name %q: must be 1 to 20 of a-z, 0-9 and \"-\", begin with a letter and not end with \"-\"", name)
}

// ParseUser returns the user of that name.
func ParseUser(name string) (User, error) {
	users := []User{Admin, Restricted}
	if user := User(name); slices.Contains(users, user) {
		return user, nil
	}
	return "", fmt.Errorf("--user %q: must be one of %q", name, users)
}

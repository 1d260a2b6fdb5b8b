package page

import (
	"flag"
	"fmt"
	"io"
	"regexp"
)

// Options are what commands have in common whose figures stand in a page.
type Options struct {
	Update bool
	Page   string         // its path
	Only   *regexp.Regexp // what is not left out
}

// Parse reads -update, -page and -only beside the flags that a command has of its own, and
// whose the page is where -page says nothing. parts are what -only chooses from: a page is
// about all of them.
func (o *Options) Parse(flags *flag.FlagSet, args []string, parts string) error {
	o.Only = regexp.MustCompile("")
	flags.BoolVar(&o.Update, "update", false, "write the tables into the page")
	flags.StringVar(&o.Page, "page", o.Page, "the page")
	flags.Func("only", "leave out "+parts+" whose names do not match", func(text string) (err error) {
		o.Only, err = regexp.Compile(text)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not a flag", flags.Arg(0))
	}
	if o.Update && o.Only.String() != "" {
		return fmt.Errorf("-update writes whole tables, and -only leaves %s out", parts)
	}
	return nil
}

// Put writes a text to stdout, or with -update between its marks in the page.
func (o Options) Put(stdout io.Writer, name, text string) error {
	if o.Update {
		return Update(o.Page, map[string]string{name: text})
	}
	_, err := io.WriteString(stdout, text)
	return err
}

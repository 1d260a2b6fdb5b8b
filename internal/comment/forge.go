package comment

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
)

// Comment is a comment as its platform has it.
type Comment struct {
	ID     int64
	Body   string
	Author string // login
	Bot    bool   // the author is a program
}

// Thread is the comments of pull requests; a merge request is one. Errors are a
// [StatusError] where the platform answered, and what the connection says otherwise.
type Thread interface {
	// Comments yields those of a pull request, oldest first, and asks for more pages
	// only as they are wanted. An error is the last that it yields.
	Comments(ctx context.Context, number int) iter.Seq2[Comment, error]
	// Create adds a comment and says its ID.
	Create(ctx context.Context, number int, body string) (int64, error)
	// Update gives a comment another body.
	Update(ctx context.Context, number int, id int64, body string) error
	// Me is the login that the token belongs to; a StatusError if it is no user's.
	Me(ctx context.Context) (string, error)
}

// Finder knows which pull request a commit belongs to.
type Finder interface {
	// PullOf is the number of the one that brought the commit, or whose head it is; 0
	// if there is none.
	PullOf(ctx context.Context, sha string) (int, error)
}

// Forge is a platform.
type Forge interface {
	Thread
	Finder
}

// StatusError is what a platform said instead of doing it.
type StatusError struct {
	Status  int
	Message string // its own words
	Limited bool   // of too many requests
}

// Error gives the status and the platform's words.
func (e *StatusError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("%d %s: %s", e.Status, http.StatusText(e.Status), e.Message)
}

// statusOf is the status of an error, 0 where nobody answered.
func statusOf(err error) int {
	if failed, ok := errors.AsType[*StatusError](err); ok {
		return failed.Status
	}
	return 0
}

// limited reports whether the platform asks for fewer requests.
func limited(err error) bool {
	failed, ok := errors.AsType[*StatusError](err)
	return ok && failed.Limited
}

// hopeless reports whether another try would end as this one did.
func hopeless(err error) bool {
	if failed, ok := errors.AsType[*StatusError](err); ok {
		return failed.Status >= 400 && failed.Status < 500 && !failed.Limited && failed.Status != http.StatusRequestTimeout
	}
	return errors.Is(err, ErrNoPull) || errors.Is(err, ErrShared)
}

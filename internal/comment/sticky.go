package comment

import (
	"context"
	"fmt"
	"net/http"
)

// Room is how many bytes a comment may have that a Sticky writes. GitHub takes 65,536
// of what it calls characters, and nobody says which.
const Room = 60_000

// hiddenRoom is what the hidden lines take of it at most.
const hiddenRoom = 1_000

// TextRoom is how long a text may be that is shown.
const TextRoom = Room - hiddenRoom

// Sticky is one comment of a pull request that is written again and again. It is not
// for many goroutines at once.
type Sticky struct {
	Thread Thread
	Number int // of the pull request
	Key    Key // tells it apart from others of the program
	By     Key // tells this process apart from others

	id    int64
	body  string // as it was written last
	me    string
	asked bool // for me
}

// compose is a text with its hidden lines.
func (s *Sticky) compose(text string, done bool) string {
	lines := text + "\n"
	if !done {
		lines += s.By.writing() + "\n"
	}
	return lines + s.Key.marker() + "\n"
}

// Put makes the comment say a text; done says that no other will follow from this
// process. A comment that is not there is made if create says so. A body that is there
// already costs no call. It is [ErrShared] if the comment is being written by who differs
// from this process in the last part of By alone.
func (s *Sticky) Put(ctx context.Context, text string, done, create bool) error {
	body := s.compose(text, done)
	if s.id == 0 {
		found, err := s.find(ctx, s.Key.marker())
		if err != nil {
			return err
		}
		if found == nil && !create {
			return nil
		}
		if found == nil {
			return s.create(ctx, body)
		}
		if s.By.besides(found.Body) {
			return ErrShared
		}
		s.id, s.body = found.ID, found.Body
	}
	if same(s.body, body) {
		return nil
	}
	err := s.Thread.Update(ctx, s.Number, s.id, body)
	if statusOf(err) == http.StatusNotFound { // somebody has removed it
		s.id = 0
		return s.create(ctx, body)
	}
	if err != nil {
		return fmt.Errorf("updating the comment: %w", err)
	}
	s.body = body
	return nil
}

// PutMine is Put for last words where another process may have spoken since: only a
// comment that this one has not finished is touched.
func (s *Sticky) PutMine(ctx context.Context, text string) error {
	found, err := s.find(ctx, s.By.writing())
	if err != nil || found == nil {
		return err
	}
	s.id, s.body = found.ID, found.Body
	return s.Put(ctx, text, true, false)
}

func (s *Sticky) create(ctx context.Context, body string) error {
	id, err := s.Thread.Create(ctx, s.Number, body)
	if err != nil {
		return fmt.Errorf("writing the comment: %w", err)
	}
	s.id, s.body = id, body
	return nil
}

// find is the oldest comment of ours that has a hidden line, nil if none does.
func (s *Sticky) find(ctx context.Context, line string) (*Comment, error) {
	for comment, err := range s.Thread.Comments(ctx, s.Number) {
		if err != nil {
			return nil, fmt.Errorf("reading the comments: %w", err)
		}
		if !has(comment.Body, line) {
			continue
		}
		ours, err := s.ours(ctx, comment)
		if err != nil {
			return nil, err
		}
		if ours {
			return &comment, nil
		}
	}
	return nil, nil //nolint:nilnil // none is an answer
}

// ours reports whether a comment is a program's, or that of the user whose token it is.
// A job's own token belongs to no user, and must not ask who it is.
func (s *Sticky) ours(ctx context.Context, comment Comment) (bool, error) {
	if comment.Bot {
		return true, nil
	}
	if !s.asked {
		me, err := s.Thread.Me(ctx)
		if status := statusOf(err); err != nil && (status < 400 || status >= 500) {
			return false, fmt.Errorf("asking whose token it is: %w", err)
		}
		s.me, s.asked = me, true
	}
	return s.me != "" && s.me == comment.Author, nil
}

// Sweep is for who comes after a process that was cut off: the comment that it has not
// finished gets a note before what it says, and counts as finished.
func Sweep(ctx context.Context, thread Thread, number int, by Key, note string) (swept bool, err error) {
	s := &Sticky{Thread: thread, Number: number, By: by}
	found, err := s.find(ctx, by.writing())
	if err != nil || found == nil {
		return false, err
	}
	if err = thread.Update(ctx, number, found.ID, note+"\n\n"+without(found.Body, by.writing())); err != nil {
		return false, fmt.Errorf("updating the comment: %w", err)
	}
	return true, nil
}

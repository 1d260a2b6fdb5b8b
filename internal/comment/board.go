package comment

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Every is the least time between two texts on a Board: a platform counts what its users
// write, and people read.
const Every = 15 * time.Second

// longestCall is how long one text may take to be written, with all that it waits for.
const longestCall = 30 * time.Second

// Board shows texts as they come, the newest only. Nobody waits for it but who closes it.
type Board struct {
	mu     sync.Mutex
	newest string
	news   chan struct{} // of one: there is a text

	cancel context.CancelFunc
	quit   chan struct{} // nothing more will be shown
	done   chan struct{} // the goroutine is gone; sticky and failed may be read

	sticky *Sticky
	failed error // and no try of another would help
}

// Open begins to show what the job says of itself under a key. The work goes on when
// ctx is cancelled, until Close: what is being written is better finished.
func Open(ctx context.Context, job *Job, key Key, every time.Duration) *Board {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b := &Board{
		news: make(chan struct{}, 1), cancel: cancel, quit: make(chan struct{}), done: make(chan struct{}),
	}
	go b.work(ctx, job, key, every)
	return b
}

// Show has a text written when its time comes, unless a newer one overtakes it. It
// returns at once.
func (b *Board) Show(text string) {
	b.mu.Lock()
	b.newest = text
	b.mu.Unlock()
	select {
	case b.news <- struct{}{}:
	default: // it knows
	}
}

func (b *Board) work(ctx context.Context, job *Job, key Key, every time.Duration) {
	defer close(b.done)
	for {
		select {
		case <-b.quit:
			return
		case <-b.news:
		}
		b.mu.Lock()
		text := b.newest
		b.mu.Unlock()
		if err := b.write(ctx, job, key, text); hopeless(err) {
			b.failed = err
			return
		}
		pause := time.NewTimer(every)
		select {
		case <-b.quit:
			pause.Stop()
			return
		case <-pause.C:
		}
	}
}

// write writes one text. What went wrong for now is tried again with the next.
func (b *Board) write(ctx context.Context, job *Job, key Key, text string) error {
	limited, cancel := context.WithTimeout(ctx, longestCall)
	defer cancel()
	if b.sticky == nil {
		sticky, err := job.Sticky(limited, key)
		if err != nil {
			return err
		}
		b.sticky = sticky
	}
	return b.sticky.Put(limited, text, false, true)
}

// Last are a job's last words.
type Last struct {
	Text   string
	Create bool // the comment, if it is not there
	Mine   bool // only where nobody else has spoken since
}

// Close ends a Board with the last words, which have to be written within a time. What
// is being written gets half of it to end first, so that nothing is written after them,
// or twice. b may be nil: then nothing was shown before.
func (b *Board) Close(ctx context.Context, job *Job, key Key, last Last, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var sticky *Sticky
	if b != nil {
		b.end(within / 2)
		if b.failed != nil {
			return b.failed
		}
		sticky = b.sticky
	}
	err := error(nil)
	if sticky == nil {
		sticky, err = job.Sticky(ctx, key)
	}
	switch {
	case err != nil:
	case last.Mine:
		err = sticky.PutMine(ctx, last.Text)
	default:
		err = sticky.Put(ctx, last.Text, true, last.Create)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("not done within %s: %w", within, err)
	}
	return err
}

// end stops the goroutine, with some patience for what it is at.
func (b *Board) end(patience time.Duration) {
	close(b.quit)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-b.done:
	case <-timer.C:
	}
	b.cancel()
	<-b.done
}

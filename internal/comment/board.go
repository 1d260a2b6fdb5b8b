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
	job *Job

	mu     sync.Mutex
	key    Key
	newest string
	news   chan struct{} // of one: there is a text

	cancel context.CancelFunc
	quit   chan struct{} // nothing more will be shown
	done   chan struct{} // the goroutine is gone; sticky and failed may be read

	sticky *Sticky
	failed error // and no try of another would help
}

// Open is a Board for what the job says of itself, at most so often. The work goes on
// when ctx is cancelled, until Close or Stop: what is being written is better finished.
func Open(ctx context.Context, job *Job, every time.Duration) *Board {
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b := &Board{
		job: job, news: make(chan struct{}, 1), cancel: cancel, quit: make(chan struct{}), done: make(chan struct{}),
	}
	go b.work(working, every)
	return b
}

// Show has a text written to the comment with a key when its time comes, unless a newer
// one overtakes it. It returns at once. The key is that of the first text.
func (b *Board) Show(key Key, text string) {
	b.mu.Lock()
	b.key, b.newest = key, text
	b.mu.Unlock()
	b.signal()
}

func (b *Board) signal() {
	select {
	case b.news <- struct{}{}:
	default: // it knows
	}
}

func (b *Board) work(ctx context.Context, every time.Duration) {
	defer close(b.done)
	for {
		select {
		case <-b.quit:
			return
		case <-b.news:
		}
		select {
		case <-b.quit: // the last words are at hand
			return
		default:
		}
		b.mu.Lock()
		key, text := b.key, b.newest
		b.mu.Unlock()
		err := b.write(ctx, key, text)
		if hopeless(err) {
			b.failed = err
			return
		}
		if err != nil && !limited(err) {
			b.signal() // it is still to be written
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

// write writes one text. What went wrong for now is tried again when the next one may be
// written; where the platform asks for fewer requests, with the next one.
func (b *Board) write(ctx context.Context, key Key, text string) error {
	ctx, cancel := context.WithTimeout(ctx, longestCall)
	defer cancel()
	if err := b.find(ctx, key); err != nil {
		return err
	}
	return b.sticky.Put(ctx, text, false, true)
}

// find makes the comment ready to be written to, once.
func (b *Board) find(ctx context.Context, key Key) (err error) {
	if b.sticky == nil {
		b.sticky, err = b.job.Sticky(ctx, key)
	}
	return err
}

// Last are a job's last words.
type Last struct {
	Key    Key
	Text   string
	Create bool // the comment, if it is not there
	Mine   bool // only where nobody else has spoken since
}

// Close ends a Board with the last words, which have to be written within a time. What
// is being written gets half of it to end first, so that nothing is written after them,
// or twice.
func (b *Board) Close(ctx context.Context, last Last, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	b.end(within / 2)
	if b.failed != nil {
		return b.failed
	}
	err := b.last(ctx, last)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("not done within %s: %w", within, err)
	}
	return err
}

func (b *Board) last(ctx context.Context, last Last) error {
	if err := b.find(ctx, last.Key); err != nil {
		return err
	}
	if last.Mine {
		return b.sticky.PutMine(ctx, last.Text)
	}
	return b.sticky.Put(ctx, last.Text, true, last.Create)
}

// Stop ends a Board without last words.
func (b *Board) Stop() { b.end(0) }

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

package comment

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Comments, Create and Update make memory a platform with one comment.
func (m *memory) Comments(context.Context, int) iter.Seq2[Comment, error] {
	return func(yield func(Comment, error) bool) {
		if all := m.written(); len(all) > 0 {
			yield(Comment{ID: 1, Body: all[len(all)-1], Bot: true}, nil)
		}
	}
}

func (m *memory) Create(ctx context.Context, _ int, body string) (int64, error) {
	return 1, m.writes(ctx, body)
}

func (m *memory) Update(ctx context.Context, _ int, _ int64, body string) error {
	return m.writes(ctx, body)
}

var (
	lobby = NewKey("lobby")
	run1  = NewKey("run", "1")
)

func staged(text string) string { return text + "\n" + run1.writing() + "\n" + lobby.marker() + "\n" }
func final(text string) string  { return text + "\n" + lobby.marker() + "\n" }

func jobOn(m *memory) *Job { return &Job{Forge: m, Platform: "GitHub", By: run1, number: 7} }

// TestBoardIsPolite: of many texts the newest is written, each so long after the one
// before, and nobody waits for any.
func TestBoardIsPolite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		b := Open(t.Context(), jobOn(m), 15*time.Second)
		began := time.Now()
		for _, text := range []string{"baseline", "10 %", "25 %"} {
			b.Show(lobby, text)
			synctest.Wait()
		}
		require.Equal(t, []string{staged("baseline")}, m.written())
		require.Zero(t, time.Since(began))
		time.Sleep(14 * time.Second)
		require.Len(t, m.written(), 1)
		time.Sleep(2 * time.Second)
		require.Equal(t, []string{staged("baseline"), staged("25 %")}, m.written(), "10 % was overtaken")
		time.Sleep(time.Hour)
		require.Len(t, m.written(), 2)
		b.Show(lobby, "50 %")
		synctest.Wait()
		require.Len(t, m.written(), 3)
		require.NoError(t, b.Close(t.Context(), Last{Key: lobby, Text: "promoted", Create: true}, time.Second))
		require.Equal(t, final("promoted"), m.written()[3])
	})
}

// TestBoardIsNeverInTheWay: a platform that does not answer holds up nobody, and the last
// words for no longer than they may take.
func TestBoardIsNeverInTheWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{before: func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		b := Open(t.Context(), jobOn(m), 15*time.Second)
		began := time.Now()
		for range 1000 {
			b.Show(lobby, "25 %")
		}
		synctest.Wait()
		require.Zero(t, time.Since(began))
		err := b.Close(t.Context(), Last{Key: lobby, Text: "promoted", Create: true}, 4*time.Second)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "not done within 4s")
		require.Equal(t, 4*time.Second, time.Since(began))
		require.Empty(t, m.written())
	})
}

// TestLastWordsComeLast: what is being written when a run ends is written before its last
// words, and not twice; a run that is told to stop still has some.
func TestLastWordsComeLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{before: func(ctx context.Context, number int) error {
			if number > 1 {
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
				return nil
			}
		}}
		ctx, cancel := context.WithCancel(t.Context())
		b := Open(ctx, jobOn(m), 15*time.Second)
		b.Show(lobby, "25 %")
		synctest.Wait()
		b.Show(lobby, "50 %")
		cancel()
		require.NoError(t, b.Close(ctx, Last{Key: lobby, Text: "interrupted", Create: true}, 4*time.Second))
		require.Equal(t, []string{staged("25 %"), final("interrupted")}, m.written())
	})
}

// TestBoardTriesAgain: what goes wrong for now is tried again, unless the platform asks
// for fewer requests; what always will is no more, at once and for good.
func TestBoardTriesAgain(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err  error
		want []string
	}{
		{&StatusError{Status: http.StatusBadGateway}, []string{staged("25 %"), staged("50 %"), final("promoted")}},
		{errors.New("connection reset by peer"), []string{staged("25 %"), staged("50 %"), final("promoted")}},
		{&StatusError{Status: http.StatusTooManyRequests, Limited: true}, []string{staged("50 %"), final("promoted")}},
		{&StatusError{Status: http.StatusForbidden, Limited: true}, []string{staged("50 %"), final("promoted")}},
		{&StatusError{Status: http.StatusForbidden, Message: "Resource not accessible by integration"}, nil},
		{&StatusError{Status: http.StatusUnauthorized}, nil},
		{&StatusError{Status: http.StatusUnprocessableEntity}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			m := &memory{before: func(context.Context, int) error {
				if calls++; calls == 1 {
					return row.err
				}
				return nil
			}}
			b := Open(t.Context(), jobOn(m), 15*time.Second)
			b.Show(lobby, "25 %")
			time.Sleep(time.Minute)
			b.Show(lobby, "50 %")
			time.Sleep(time.Minute)
			err := b.Close(t.Context(), Last{Key: lobby, Text: "promoted", Create: true}, time.Second)
			if row.want != nil {
				require.NoError(t, err)
				require.Equal(t, row.want, m.written())
				return
			}
			require.ErrorIs(t, err, row.err)
			require.Empty(t, m.written())
			require.Equal(t, 1, calls, "%v", row.err)
		})
	}
}

// TestBoardWithoutWords: nothing is written, and nothing goes on.
func TestBoardWithoutWords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // it fails where a goroutine is left
		m := &memory{}
		b := Open(t.Context(), jobOn(m), time.Minute)
		b.Stop()
		require.Empty(t, m.written())

		b = Open(t.Context(), &Job{Forge: m, By: run1}, time.Minute)
		b.Show(lobby, "25 %")
		err := b.Close(t.Context(), Last{Key: lobby, Text: "promoted", Create: true}, time.Second)
		require.ErrorIs(t, err, ErrNoPull)
		require.Empty(t, m.written())
	})
}

// TestBoardTakenOver: last words of a run that was taken over leave the other's alone.
func TestBoardTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		b := Open(t.Context(), jobOn(m), time.Minute)
		b.Show(lobby, "25 %")
		synctest.Wait()
		require.NoError(t, m.writes(t.Context(), final("rolled back")))
		require.NoError(t, b.Close(t.Context(), Last{Key: lobby, Text: "taken over", Mine: true}, time.Second))
		require.Equal(t, []string{staged("25 %"), final("rolled back")}, m.written())
	})
}

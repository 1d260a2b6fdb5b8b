package comment

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	key7  = "<!-- l4-canary:lobby -->"
	write = "<!-- l4-canary-writing:run/1 -->"
)

// descriptions are GitHub in the cloud, and the oldest that runs at home.
var descriptions = []string{"api.github.com.json", "ghes-3.17.json"}

// TestSticky: one comment is made, found again by the next process, and written only
// where it says something else.
func TestSticky(t *testing.T) {
	t.Parallel()
	for _, description := range descriptions {
		t.Run(description, func(t *testing.T) {
			t.Parallel()
			h := newFakeHub(t, description)
			h.say("octocat", "User", "What does this do?")
			first := h.sticky("lobby")
			require.NoError(t, first.Put(t.Context(), "running", false, true))
			require.Equal(t, []string{
				"GET /repos/octo-org/octo-repo/issues/7/comments?per_page=100",
				"POST /repos/octo-org/octo-repo/issues/7/comments",
			}, h.asked())
			require.Equal(t, []string{"What does this do?", "running\n" + write + "\n" + key7 + "\n"}, h.bodies())

			require.NoError(t, first.Put(t.Context(), "running", false, true))
			require.Empty(t, h.asked(), "it says so already")
			require.NoError(t, first.Put(t.Context(), "promoted", true, true))
			require.Equal(t, []string{"PATCH /repos/octo-org/octo-repo/issues/comments/1001"}, h.asked())

			require.NoError(t, h.sticky("lobby").Put(t.Context(), "promoted", true, true))
			require.Equal(t, []string{"GET /repos/octo-org/octo-repo/issues/7/comments?per_page=100"}, h.asked(), "another process, and nothing new")
			require.NoError(t, h.sticky("lobby").Put(t.Context(), "rolled back", true, true))
			require.Equal(t, []string{"What does this do?", "rolled back\n" + key7 + "\n"}, h.bodies())
		})
	}
}

// TestNobodysQuotation: a comment of a person is never edited, whatever it says.
func TestNobodysQuotation(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t, descriptions[0])
	h.say("octocat", "User", "promoted\n"+key7)
	h.say("octocat", "User", "> promoted\n> "+key7+"\n\nWhy?")
	h.say("stale[bot]", "Bot", "> promoted\n> "+key7+"\n\nIs this still so?")
	h.say("github-actions[bot]", "Bot", "promoted\n<!-- l4-canary:other -->")
	before := h.bodies()
	require.NoError(t, h.sticky("lobby").Put(t.Context(), "running", true, true))
	require.Equal(t, before, h.bodies()[:4])
	require.Len(t, h.bodies(), 5)
	require.Equal(t, []string{
		"GET /repos/octo-org/octo-repo/issues/7/comments?per_page=100", "GET /user", "POST /repos/octo-org/octo-repo/issues/7/comments",
	}, h.asked())
}

// TestUsersToken: with the token of a user the comment is that user's, and no other's.
func TestUsersToken(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t, descriptions[0])
	h.user = "deployer"
	h.say("octocat", "User", "promoted\n"+key7)
	h.say("deployer", "User", "promoted\n"+key7)
	require.NoError(t, h.sticky("lobby").Put(t.Context(), "running", true, true))
	require.Equal(t, []string{"promoted\n" + key7, "running\n" + key7 + "\n"}, h.bodies())
}

// TestLegs: two legs of a matrix have a comment each, and the older of two is taken.
func TestLegs(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t, descriptions[0])
	for _, text := range []string{"running", "promoted"} {
		for _, leg := range []string{"eu", "us"} {
			require.NoError(t, h.sticky(leg).Put(t.Context(), text+" in "+leg, true, true))
		}
	}
	require.Equal(t, []string{
		"promoted in eu\n<!-- l4-canary:eu -->\n", "promoted in us\n<!-- l4-canary:us -->\n",
	}, h.bodies())
	h.say("github-actions[bot]", "Bot", "a copy\n<!-- l4-canary:eu -->")
	require.NoError(t, h.sticky("eu").Put(t.Context(), "held in eu", true, true))
	require.Equal(t, "held in eu\n<!-- l4-canary:eu -->\n", h.bodies()[0])
	require.Len(t, h.bodies(), 3)
}

// TestSharedKey: two legs at once with the same key do not overwrite each other. The
// second says what helps; once the first is done its comment is one as any other.
func TestSharedKey(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t, descriptions[0])
	leg := func(runner string) *Sticky {
		return &Sticky{Thread: h.job(nil).Forge, Number: 7, Key: lobby, By: NewKey("7", "1", "deploy", runner)}
	}
	first := leg("runner-1")
	require.NoError(t, first.Put(t.Context(), "running", false, true))
	err := leg("runner-2").Put(t.Context(), "running too", false, true)
	require.ErrorIs(t, err, ErrShared)
	require.True(t, hopeless(err))
	require.Contains(t, h.job(nil).Explain(err), `give each leg an input "comment-key" of its own`)
	require.NoError(t, first.Put(t.Context(), "promoted", true, true))
	require.NoError(t, leg("runner-2").Put(t.Context(), "running too", false, true))
	require.Len(t, h.bodies(), 1)
}

// TestPages: the comment is found on the third page, and no page after it is asked for.
func TestPages(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t, descriptions[0])
	h.page = 2
	for i := range 5 {
		h.say("octocat", "User", fmt.Sprint("comment ", i))
	}
	h.say("github-actions[bot]", "Bot", "running\n"+key7)
	for i := range 5 {
		h.say("octocat", "User", fmt.Sprint("later ", i))
	}
	require.NoError(t, h.sticky("lobby").Put(t.Context(), "promoted", true, true))
	require.Equal(t, []string{
		"GET /repos/octo-org/octo-repo/issues/7/comments?per_page=100",
		"GET /repos/octo-org/octo-repo/issues/7/comments?page=2&per_page=100",
		"GET /repos/octo-org/octo-repo/issues/7/comments?page=3&per_page=100",
		"PATCH /repos/octo-org/octo-repo/issues/comments/1005",
	}, h.asked())
}

// TestRemoved: somebody removes the comment while a run goes on.
func TestRemoved(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t, descriptions[0])
	sticky := h.sticky("lobby")
	require.NoError(t, sticky.Put(t.Context(), "running", false, true))
	h.mu.Lock()
	h.comments = nil
	h.mu.Unlock()
	require.NoError(t, sticky.Put(t.Context(), "promoted", true, true))
	require.Equal(t, []string{"promoted\n" + key7 + "\n"}, h.bodies())
}

// TestOnlyWhereThere: without leave to make one, a comment is only brought up to date.
func TestOnlyWhereThere(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t, descriptions[0])
	require.NoError(t, h.sticky("lobby").Put(t.Context(), "promoted", true, false))
	require.Empty(t, h.bodies())
	h.say("github-actions[bot]", "Bot", "rolled back\n"+key7)
	require.NoError(t, h.sticky("lobby").Put(t.Context(), "promoted", true, false))
	require.Equal(t, []string{"promoted\n" + key7 + "\n"}, h.bodies())
}

// TestMine: who was taken over says nothing where the one that took over has spoken.
func TestMine(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t, descriptions[0])
	sticky := h.sticky("lobby")
	require.NoError(t, sticky.Put(t.Context(), "running", false, true))
	require.NoError(t, h.sticky("lobby").Put(t.Context(), "rolled back by hand", true, true))
	require.NoError(t, sticky.PutMine(t.Context(), "taken over"))
	require.Equal(t, []string{"rolled back by hand\n" + key7 + "\n"}, h.bodies())

	sticky = h.sticky("proxy")
	require.NoError(t, sticky.Put(t.Context(), "running", false, true))
	require.NoError(t, sticky.PutMine(t.Context(), "taken over"))
	require.Equal(t, "taken over\n<!-- l4-canary:proxy -->\n", h.bodies()[1])
}

// TestSweep: what a process left unfinished is finished by who comes after it, once, and
// nobody else's is touched.
func TestSweep(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t, descriptions[0])
	job := h.job(nil)
	swept, err := job.Sweep(t.Context(), "cut off")
	require.NoError(t, err)
	require.False(t, swept)

	h.say("octocat", "User", "running\n"+write+"\n"+key7)
	h.say("github-actions[bot]", "Bot", "running\n<!-- l4-canary-writing:other/1 -->\n"+key7)
	require.NoError(t, h.sticky("lobby").Put(t.Context(), "running at 25 %", false, true))
	before := h.bodies()
	require.Len(t, before, 2, "the key is that of the other run's comment")
	swept, err = job.Sweep(t.Context(), "cut off")
	require.NoError(t, err)
	require.True(t, swept)
	require.Equal(t, []string{before[0], "cut off\n\nrunning at 25 %\n" + key7 + "\n"}, h.bodies())
	swept, err = job.Sweep(t.Context(), "cut off")
	require.NoError(t, err)
	require.False(t, swept)

	none := h.job(map[string]string{"GITHUB_REF": "refs/heads/main"})
	swept, err = none.Sweep(t.Context(), "cut off")
	require.NoError(t, err)
	require.False(t, swept, "no pull request")
}

// TestTooLong: GitHub's own words come back, and the comment is not written again.
func TestTooLong(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t, descriptions[0])
	h.next(nil, func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusUnprocessableEntity, map[string]any{
			"message": "Validation Failed", "documentation_url": "https://docs.github.com",
			"errors": []any{map[string]any{"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": "Body is too long (maximum is 65536 characters)"}},
		})
	})
	err := h.sticky("lobby").Put(t.Context(), "x", true, true)
	require.EqualError(t, err, "writing the comment: 422 Unprocessable Entity: Validation Failed: Body is too long (maximum is 65536 characters)")
	require.True(t, hopeless(err))
}

// TestRoom: the longest text with the longest hidden lines is no longer than a comment
// may be.
func TestRoom(t *testing.T) {
	t.Parallel()
	long := NewKey(strings.Repeat("é", 1000), strings.Repeat("-", 1000))
	s := &Sticky{Key: long, By: long}
	require.LessOrEqual(t, len(s.compose(strings.Repeat("x", TextRoom), false)), Room)
}

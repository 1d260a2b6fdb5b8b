// Package comment keeps one comment of a pull request up to date: GitHub's, Gitea's,
// and the note of a GitLab merge request. It knows nothing of what the comment says.
//
// [Find] reads from the job's environment where the comment belongs: the platform, and
// the number of the pull request or the commit that one is asked for. A [Sticky] finds
// its comment again by a hidden marker on a line of its own, and by its author, so that
// nobody's quotation is ever edited. A [Board] writes while a job goes on, in a
// goroutine of its own: whoever shows something there never waits, and only the last
// words are waited for, for as long as the caller has. [Sweep] is for who comes after a
// job that was cut off.
//
// Nothing here is worth failing a deployment for: errors come back, [Explain] says in
// one sentence what would help, and the caller shows it once as a warning.
package comment

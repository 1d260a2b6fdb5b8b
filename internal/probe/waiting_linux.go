package probe

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// waiting is a socket whose worker waits in the kernel for it, in a thread of its own. A
// lone worker is woken sooner so than through Go's poller: over HTTP it takes a tenth more
// samples, with three quarters of the CPU. For sixteen the poller is faster by a quarter.
type waiting struct {
	fd      int
	reading time.Time // deadlines
	writing time.Time
	cut     atomic.Bool
}

// Read waits before it reads: whoever has just asked gets no answer at once.
func (w *waiting) Read(p []byte) (int, error) {
	for {
		if err := w.wait(unix.POLLIN, w.reading); err != nil {
			return 0, err
		}
		n, err := syscall.Read(w.fd, p)
		switch {
		case passing(err):
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Write writes all of p.
func (w *waiting) Write(p []byte) (written int, err error) {
	for written < len(p) {
		n, err := syscall.Write(w.fd, p[written:])
		switch {
		case err == nil:
			written += n
		case !passing(err):
			return written, os.NewSyscallError("write", err)
		default:
			if err = w.wait(unix.POLLOUT, w.writing); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// until tries something until it is done, and waits in between for the socket to take more.
func (w *waiting) until(done func(fd uintptr) bool) error {
	for !done(uintptr(w.fd)) {
		if err := w.wait(unix.POLLOUT, w.writing); err != nil {
			return err
		}
	}
	return nil
}

// passing reports whether a call may go well the next time.
func passing(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
}

// wait returns when something of events has come, or an error of the socket that the next
// call on it will tell.
func (w *waiting) wait(events int16, due time.Time) error {
	sockets := []unix.PollFd{{Fd: int32(w.fd), Events: events}}
	for {
		left := time.Until(due)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		patience := unix.NsecToTimespec(int64(left))
		n, err := unix.Ppoll(sockets, &patience, nil)
		switch {
		case w.cut.Load():
			return errCut
		case err != nil && !passing(err):
			return os.NewSyscallError("ppoll", err)
		case n > 0:
			return nil
		}
	}
}

// wake ends what its worker waits for, now and later. Only the worker closes the socket: its
// number may be another file's by the time that somebody looks at it again.
func (w *waiting) wake() {
	w.cut.Store(true)
	_ = syscall.Shutdown(w.fd, syscall.SHUT_RDWR) // one that is not connected wakes all the same
}

// Close ends it.
func (w *waiting) Close() error { return syscall.Close(w.fd) }

// SetDeadline is for reads and writes that begin from now on.
func (w *waiting) SetDeadline(t time.Time) error {
	w.reading, w.writing = t, t
	return nil
}

// SetReadDeadline is for reads alone.
func (w *waiting) SetReadDeadline(t time.Time) error {
	w.reading = t
	return nil
}

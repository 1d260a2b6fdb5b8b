package probe

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
)

var (
	// errLocal marks failures of this machine.
	errLocal = errors.New("this machine failed the flow")

	// errTaken says that a source port cannot be used just now.
	errTaken = errors.New("the source port is taken")
)

// localError says what this machine could not do.
func localError(doing string, err error) error {
	return fmt.Errorf("%w: %s: %w", errLocal, doing, err)
}

// What the kernel says, by what it means. The local ones are exhausted or
// forbidden things of this machine; no network can send them.
var (
	localErrnos = []syscall.Errno{
		syscall.EADDRNOTAVAIL, syscall.EADDRINUSE, syscall.EAFNOSUPPORT, syscall.EMFILE, syscall.ENFILE,
		syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM, syscall.EACCES, syscall.ENETDOWN,
	}
	refusedErrnos = []syscall.Errno{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN}
	resetErrnos   = []syscall.Errno{syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED}
)

// classOf says how a flow with this error ended. What the network or the peer
// did counts against the service, an unreachable host too: its address is what
// clients are given. Only what failed before a packet left, or never could
// leave, is Local. Whatever is none of these broke the protocol.
func classOf(err error) Class {
	if err == nil {
		return Answered
	}
	errno, _ := errors.AsType[syscall.Errno](err)
	switch {
	case errors.Is(err, errLocal), errors.Is(err, errTaken), slices.Contains(localErrnos, errno):
		return Local
	case errors.Is(err, os.ErrDeadlineExceeded), errno == syscall.ETIMEDOUT:
		return Timeout
	case slices.Contains(refusedErrnos, errno):
		return Refused
	case slices.Contains(resetErrnos, errno):
		return Reset
	}
	return Faulty
}

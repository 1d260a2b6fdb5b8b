package probe

import (
	"bytes"
	"math"
	"net/http"
	"strconv"
)

// inOnePiece is a response that came in one piece, and of how many bytes it is. Most answers to
// a probe do; to parse one as net/http does takes a tenth of what the sample costs.
// It reports false of everything that is not complete or leaves the slightest doubt, which
// is then for net/http to read.
func inOnePiece(b []byte) (h head, size int, ok bool) {
	const version = "HTTP/1.1 "
	line, rest, found := bytes.Cut(b, crlf)
	if !found || !legible(line) || !bytes.HasPrefix(line, []byte(version)) {
		return head{}, 0, false
	}
	if h, ok = statusOf(line[len(version):]); !ok {
		return head{}, 0, false
	}
	length := -1
	for len(rest) > 0 {
		if line, rest, found = bytes.Cut(rest, crlf); !found {
			return head{}, 0, false
		}
		if len(line) == 0 {
			size = len(b) - len(rest) + length
			return h, size, length >= 0 && size <= len(b)
		}
		if !h.field(line, &length) {
			return head{}, 0, false
		}
	}
	return head{}, 0, false
}

var crlf = []byte("\r\n")

// statusOf reads a status such as "200 OK", of a response that has a body.
func statusOf(b []byte) (head, bool) {
	if len(b) < 3 || len(b) > 3 && b[3] != ' ' {
		return head{}, false
	}
	code, ok := number(b[:3])
	bodiless := code < http.StatusOK || code == http.StatusNoContent || code == http.StatusNotModified
	if !ok || bodiless {
		return head{}, false
	}
	return head{code: code, status: string(b)}, true
}

// field takes a line of the header in. It reports false if the line is not plain, or says
// of the body's length or the connection's end what is not said plainly.
func (h *head) field(line []byte, length *int) bool {
	name, value, found := bytes.Cut(line, []byte(":"))
	if !found || !token(name) || !legible(value) {
		return false
	}
	value = bytes.Trim(value, " ")
	is := func(known string) bool { return bytes.EqualFold(name, []byte(known)) }
	switch {
	case is("Content-Length"):
		again := *length >= 0
		n, ok := number(value)
		*length = n
		return ok && !again
	case is("Connection"):
		h.last = h.last || bytes.EqualFold(value, []byte("close"))
		return h.last || bytes.EqualFold(value, []byte("keep-alive"))
	}
	return !is("Transfer-Encoding") && !is("Trailer")
}

// number reads decimal digits, and nothing else.
func number(b []byte) (int, bool) {
	if len(b) == 0 || bytes.ContainsFunc(b, func(r rune) bool { return r < '0' || r > '9' }) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b), 10, 64)
	return int(min(n, math.MaxInt32)), err == nil
}

// legible reports whether there is nothing but printable ASCII.
func legible(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// token reports whether b is a name as headers have them. Names with more than letters,
// digits and hyphens are rare, and net/http knows them.
func token(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' {
			return false
		}
	}
	return len(b) > 0
}

package probe

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// request is a GET over HTTP/1.1 on the connection as it is. net/http's client would
// pool, retry and race connections; only its parser is used.
type request struct {
	path string // empty: /
	host string // empty: the name of TLS, or the address
}

// Get is "http" for another path or host than the preset's; empty are / and the
// server's name or address.
func Get(path, host string) Exchange { return request{path: path, host: host} }

func (request) String() string { return "http" }

func (request) speaks(p Protocol) bool { return p == TCP }

// hold leaves status line, headers and decoded body in c.answer. A status of 500
// or more is an error after the answer was read, so that a failing pod still
// says which version it is.
func (r request) hold(c *conversation) error {
	h, err := r.ask(c, "close")
	if err == nil && h.code >= http.StatusInternalServerError {
		return fmt.Errorf("status %s", h.status)
	}
	return err
}

// mostKept is how long an answer may be on a connection that is kept.
const mostKept = 64 << 20

// head is what a response says before its body.
type head struct {
	code   int
	status string // as in "503 Service Unavailable"
	last   bool   // the server closes the connection
}

// ask sends one request, with "close" or "keep-alive", and leaves the answer in
// c.answer.
func (r request) ask(c *conversation, connection string) (head, error) {
	c.room, c.broken = mostParsed, nil
	if connection == "keep-alive" { // the rest of the body has to be read before the next answer
		c.room = mostKept
	}
	c.said = r.get(c, connection, c.said[:0])
	if err := c.send(c.said); err != nil {
		return head{}, err
	}
	if c.reader == nil {
		c.reader = bufio.NewReader(nil)
	}
	c.reader.Reset(c)
	if _, err := c.reader.Peek(1); err != nil {
		if errors.Is(err, io.EOF) {
			return head{}, errSilent
		}
		return head{}, fmt.Errorf("reading the response: %w", err)
	}
	heard, _ := c.reader.Peek(c.reader.Buffered()) // what is there needs no reading
	if h, size, ok := inOnePiece(heard); ok {
		c.answer = bytes.Clone(heard[:size])
		_, err := c.reader.Discard(size)
		return h, err
	}
	return c.parse()
}

// parse leaves to net/http what inOnePiece does not know.
func (c *conversation) parse() (head, error) {
	response, err := readFinal(c.reader)
	if err != nil && c.broken != nil && !errors.Is(c.broken, io.EOF) {
		err = c.broken // of half a line the parser says that it is malformed
	}
	if err != nil {
		return head{}, fmt.Errorf("reading the response: %w", err)
	}
	defer response.Body.Close()

	// What was recorded and is no longer in the reader is the head, exactly.
	first := c.buffer[:max(0, c.received-c.reader.Buffered())]
	c.text.Reset()
	c.text.Write(first)
	_, err = c.text.ReadFrom(io.LimitReader(response.Body, int64(MaxAnswer-len(first))))
	c.answer = bytes.Clone(c.text.Bytes())
	if err != nil {
		return head{}, fmt.Errorf("reading the body: %w", err)
	}
	return head{response.StatusCode, response.Status, response.Close}, nil
}

// get appends the request to b.
func (r request) get(c *conversation, connection string, b []byte) []byte {
	b = append(append(append(b, "GET "...), cmp.Or(r.path, "/")...), " HTTP/1.1\r\nHost: "...)
	if r.host != "" {
		b = append(b, r.host...)
	} else {
		b = c.authority(b)
	}
	b = append(append(b, "\r\nUser-Agent: l4-canary\r\nAccept: */*\r\nConnection: "...), connection...)
	return append(b, "\r\n\r\n"...)
}

// authority appends the target as a browser would write it.
func (c *conversation) authority(b []byte) []byte {
	host, port := c.target.Addr().WithZone(""), c.target.Port()
	switch {
	case c.name != "":
		b = append(b, c.name...)
	case host.Is6():
		b = append(host.AppendTo(append(b, '[')), ']')
	default:
		b = host.AppendTo(b)
	}
	if port == 80 && c.over == nil || port == 443 && c.over != nil {
		return b
	}
	return strconv.AppendUint(append(b, ':'), uint64(port), 10)
}

// readFinal skips interim responses (100 Continue, 103 Early Hints).
func readFinal(r *bufio.Reader) (*http.Response, error) {
	for {
		response, err := http.ReadResponse(r, nil)
		if err != nil || response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			return response, err
		}
	}
}

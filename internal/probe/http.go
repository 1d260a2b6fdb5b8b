package probe

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// request is GET / over HTTP/1.1 on the raw socket. net/http's client would
// pool, retry and race connections; only its parser is used.
type request struct{}

func (request) String() string { return "http" }

func (request) speaks(p Protocol) bool { return p == TCP }

// hold leaves status line, headers and decoded body in c.answer. A status of 500
// or more is an error after the answer was read, so that a failing pod still
// says which version it is.
func (request) hold(c *conversation) error {
	head, err := ask(c, "close")
	if err == nil && head.code >= http.StatusInternalServerError {
		return fmt.Errorf("status %s", head.status)
	}
	return err
}

// head is what a response says before its body.
type head struct {
	code   int
	status string // as in "503 Service Unavailable"
	last   bool   // the server closes the connection
}

// ask sends one request, with "close" or "keep-alive", and leaves the answer in
// c.answer.
func ask(c *conversation, connection string) (head, error) {
	if err := c.send(get(c, connection)); err != nil {
		return head{}, err
	}
	if c.reader == nil {
		c.reader = bufio.NewReader(nil)
	}
	c.reader.Reset(c)
	response, err := readFinal(c.reader)
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) && c.received == 0 {
			return head{}, errSilent
		}
		return head{}, fmt.Errorf("reading the response: %w", err)
	}
	defer response.Body.Close()

	// What was recorded and is no longer in the reader is the head, exactly.
	first := c.buffer[:max(0, c.received-c.reader.Buffered())]
	answer := bytes.NewBuffer(bytes.Clone(first))
	_, err = io.Copy(answer, io.LimitReader(response.Body, int64(MaxAnswer-len(first))))
	c.answer = answer.Bytes()
	if err != nil {
		return head{}, fmt.Errorf("reading the body: %w", err)
	}
	return head{response.StatusCode, response.Status, response.Close}, nil
}

// get is the request's bytes. Host is the address as a browser would write it.
func get(c *conversation, connection string) []byte {
	host := c.target.String()
	if c.target.Port() == 80 {
		host = c.target.Addr().WithZone("").String()
		if c.target.Addr().Is6() {
			host = "[" + host + "]"
		}
	}
	return []byte("GET / HTTP/1.1\r\nHost: " + host +
		"\r\nUser-Agent: l4-canary\r\nAccept: */*\r\nConnection: " + connection + "\r\n\r\n")
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

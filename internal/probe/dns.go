package probe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// chaos is "dns": a server of names is asked for its own, in class CHAOS (RFC 4892).
// The questions go one after the other on one socket: two at once would race for the
// conntrack entry of their flow and could reach different backends.
type chaos struct{}

// identities are what is asked for, in this order. Servers that keep one to themselves
// refuse it, which is an answer too.
func identities() []string { return []string{"version.bind.", "hostname.bind.", "id.server."} }

func (chaos) String() string { return "dns" }

func (chaos) speaks(Protocol) bool { return true }

// hold leaves a line for each identity in c.answer, such as "version.bind: 9.18.1" or
// "id.server: REFUSED".
func (chaos) hold(c *conversation) error {
	var answer bytes.Buffer
	broken := 0
	for _, name := range identities() {
		message, err := c.resolve(name)
		if err != nil {
			c.answer = answer.Bytes()
			return err
		}
		fmt.Fprintf(&answer, "%s: %s\n", strings.TrimSuffix(name, "."), said(message))
		if message.RCode == dnsmessage.RCodeServerFailure {
			broken++
		}
	}
	c.answer = answer.Bytes()
	if broken == len(identities()) {
		return errors.New("SERVFAIL to every question")
	}
	return nil
}

// resolve asks one question and waits for its answer.
func (c *conversation) resolve(name string) (*dnsmessage.Message, error) {
	id := uint16(rand.Uint32())
	question, err := chaosQuestion(id, name)
	if err != nil {
		return nil, err
	}
	if c.protocol == UDP {
		err = c.send(question)
	} else {
		err = c.send(append(binary.BigEndian.AppendUint16(nil, uint16(len(question))), question...))
	}
	for err == nil {
		var packet []byte
		if packet, err = c.packet(question); err != nil {
			break
		}
		var message dnsmessage.Message
		if err = message.Unpack(packet); err != nil {
			return nil, fmt.Errorf("reading an answer of %d bytes: %w", len(packet), err)
		}
		if message.ID == id && message.Response {
			return &message, nil
		}
		// Else it is the answer to a question that was asked twice.
	}
	return nil, err
}

// packet is the next message.
func (c *conversation) packet(question []byte) ([]byte, error) {
	from := c.received
	if c.protocol == UDP {
		err := c.datagram(question)
		return c.buffer[from:c.received], err
	}
	const prefix = 2
	if err := c.fill(from + prefix); err != nil {
		return nil, err
	}
	end := from + prefix + int(binary.BigEndian.Uint16(c.buffer[from:]))
	return c.buffer[from+prefix : min(end, len(c.buffer))], c.fill(end)
}

// fill reads until so many bytes of the buffer were heard.
func (c *conversation) fill(size int) error {
	for c.received < size {
		if err := c.receive(c.deadline); err != nil {
			if errors.Is(err, io.EOF) && c.received == 0 {
				return errSilent
			}
			return err
		}
	}
	return nil
}

// chaosQuestion asks for a TXT record of class CHAOS.
func chaosQuestion(id uint16, name string) ([]byte, error) {
	parsed, err := dnsmessage.NewName(name)
	if err != nil {
		return nil, err
	}
	message := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id},
		Questions: []dnsmessage.Question{{Name: parsed, Type: dnsmessage.TypeTXT, Class: dnsmessage.ClassCHAOS}},
	}
	return message.Pack()
}

// said is the text of an answer, or why there is none, as the tools of the trade write
// it.
func said(message *dnsmessage.Message) string {
	var texts []string
	for _, answer := range message.Answers {
		if text, ok := answer.Body.(*dnsmessage.TXTResource); ok {
			texts = append(texts, strings.Map(printable, strings.Join(text.TXT, "")))
		}
	}
	if len(texts) > 0 {
		return strings.Join(texts, " ")
	}
	switch message.RCode {
	case dnsmessage.RCodeSuccess:
		return "NODATA"
	case dnsmessage.RCodeFormatError:
		return "FORMERR"
	case dnsmessage.RCodeServerFailure:
		return "SERVFAIL"
	case dnsmessage.RCodeNameError:
		return "NXDOMAIN"
	case dnsmessage.RCodeNotImplemented:
		return "NOTIMP"
	case dnsmessage.RCodeRefused:
		return "REFUSED"
	}
	return fmt.Sprintf("RCODE %d", message.RCode)
}

// last is what a held flow asks again and again.
func (chaos) last(*conversation) []byte {
	question, err := chaosQuestion(uint16(rand.Uint32()), identities()[0])
	if err != nil {
		return nil // the name is a constant
	}
	return question
}

// text is the answer to that.
func (chaos) text(datagram []byte) []byte {
	var message dnsmessage.Message
	if message.Unpack(datagram) != nil {
		return nil
	}
	return []byte(strings.TrimSuffix(identities()[0], ".") + ": " + said(&message) + "\n")
}

package probe

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// StartTLS is a protocol that begins in the clear and turns to TLS when asked to.
type StartTLS string

// StartTLSNames are the protocols that can.
func StartTLSNames() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(upgrades())) {
		names = append(names, string(name))
	}
	return names
}

// upgrades are how each protocol is asked. The last answer is the one after which TLS
// begins, without a byte between.
func upgrades() map[StartTLS][]Step {
	step := func(send string, measure measure, expect string) Step {
		return Step{Send: []byte(send), measure: measure, Expect: regexp.MustCompile(expect)}
	}
	return map[StartTLS][]Step{
		"smtp": {step("", smtpReply, "^220"), step("EHLO l4-canary\r\n", smtpReply, "^250"), step("STARTTLS\r\n", smtpReply, "^220")},
		"imap": {step("", oneLine, `^\* (?:OK|PREAUTH)`), step("a STARTTLS\r\n", imapReply, `(?m)^a OK`)},
		"pop3": {step("", oneLine, `^\+OK`), step("STLS\r\n", oneLine, `^\+OK`)},
		// SSLRequest: https://www.postgresql.org/docs/current/protocol-message-formats.html
		"postgres": {{Send: []byte("\x00\x00\x00\x08\x04\xd2\x16\x2f"), Bytes: 1, Expect: regexp.MustCompile("^S")}},
		// SSLRequest: protocol 4.1, TLS, secure connections and plug-in authentication;
		// packets of up to 16 MiB; utf8mb4. https://mariadb.com/kb/en/connection/#sslrequest-packet
		"mysql": {
			{measure: mysqlPacket},
			{Send: append([]byte("\x20\x00\x00\x01\x00\x8a\x08\x00\x00\x00\x00\x01\x2d"), make([]byte, 23)...)},
		},
	}
}

// upgrade holds the clear part of the conversation. Bytes that come after the server's
// consent were sent by somebody who is not behind TLS.
func upgrade(c *conversation, steps []Step) error {
	matched, err := script{steps: steps}.follow(c)
	if err != nil {
		return err
	}
	if matched < c.received {
		return errors.New("the server goes on in the clear after it agreed to TLS")
	}
	return nil
}

// measure is the length of the complete answer at the start of what was heard, 0 while
// it is not complete, or an error if it never will be.
type measure func(heard []byte) (int, error)

func oneLine(heard []byte) (int, error) { return bytes.IndexByte(heard, '\n') + 1, nil }

// smtpReply may have many lines; all but the last have a hyphen after their code.
func smtpReply(heard []byte) (int, error) {
	for size := 0; ; {
		line := bytes.IndexByte(heard[size:], '\n') + 1
		if line == 0 {
			return 0, nil
		}
		size += line
		if last := line < 5 || heard[size-line+3] != '-'; last {
			return size, nil
		}
	}
}

// imapReply ends with the line that has our tag.
func imapReply(heard []byte) (int, error) {
	for size := 0; ; {
		line := bytes.IndexByte(heard[size:], '\n') + 1
		if line == 0 {
			return 0, nil
		}
		size += line
		if bytes.HasPrefix(heard[size-line:], []byte("a ")) {
			return size, nil
		}
	}
}

// mysqlPacket begins with its length, 3 bytes, and a sequence number. A packet of type
// 0xff in place of the greeting says why there is none.
func mysqlPacket(heard []byte) (int, error) {
	const header, refusal, code = 4, 0xff, 2
	if len(heard) <= header {
		return 0, nil
	}
	size := header + int(heard[0]) + int(heard[1])<<8 + int(heard[2])<<16
	if len(heard) < size {
		return 0, nil
	}
	if heard[header] == refusal {
		return 0, fmt.Errorf("the server refuses: %q", heard[min(header+1+code, size):size])
	}
	return size, nil
}

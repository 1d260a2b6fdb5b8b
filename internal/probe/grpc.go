package probe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// health is "grpc": one call of grpc.health.v1.Health/Check over HTTP/2, for the server
// as a whole. It is made of frames: gRPC's own client would keep the connection, resolve
// names and retry, and is a hundred packages for one message of no bytes.
// https://github.com/grpc/grpc/blob/master/doc/health-checking.md
type health struct{}

const (
	healthPath   = "/grpc.health.v1.Health/Check"
	healthStream = 1
	mostFrames   = 1000    // of a server that never comes to the point
	mostFrame    = 1 << 14 // bytes: the others' word counts only if we allow more, RFC 9113, section 4.2

	grpcOK            = "0"
	grpcUnimplemented = "12" // there is no health service: an answer all the same
)

// healthWords are grpc.health.v1.HealthCheckResponse.ServingStatus.
func healthWords() []string { return []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"} }

func (health) String() string { return "grpc" }

func (health) speaks(p Protocol) bool { return p == TCP }

// hold leaves headers and trailers in c.answer, a line each, and between them
// "serving-status: SERVING" or what else the server says of itself.
func (health) hold(c *conversation) error {
	var request bytes.Buffer
	request.WriteString(http2.ClientPreface)
	if err := call(http2.NewFramer(&request, nil), c); err != nil {
		return err
	}
	if err := c.send(request.Bytes()); err != nil {
		return err
	}
	framer := http2.NewFramer(c.stream(), c)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.MaxHeaderListSize = MaxAnswer
	framer.SetMaxReadFrameSize(mostFrame)
	var r reply
	for range mostFrames {
		frame, err := framer.ReadFrame()
		if err == nil {
			err = r.take(framer, frame)
		}
		if err != nil || r.ended {
			c.answer = []byte(r.text.String())
			if err != nil {
				return fmt.Errorf("reading the response: %w", err)
			}
			return r.judge()
		}
	}
	return fmt.Errorf("no response within %d frames", mostFrames)
}

// call writes the request's frames.
func call(framer *http2.Framer, c *conversation) error {
	scheme := "http"
	if c.over != nil {
		scheme = "https"
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", scheme}, {":path", healthPath}, {":authority", string(c.authority(nil))},
		{"content-type", "application/grpc"}, {"te", "trailers"}, {"user-agent", "l4-canary"},
	} {
		if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
			return err
		}
	}
	return errors.Join(
		framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}),
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: healthStream, BlockFragment: block.Bytes(), EndHeaders: true}),
		framer.WriteData(healthStream, true, make([]byte, 5)), // an uncompressed message of no bytes
	)
}

// reply is what has come of a response.
type reply struct {
	text   strings.Builder
	fields map[string]string
	body   []byte
	ended  bool
}

// take handles a frame.
func (r *reply) take(framer *http2.Framer, frame http2.Frame) error {
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			return framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !frame.IsAck() {
			return framer.WritePing(true, frame.Data)
		}
	case *http2.MetaHeadersFrame:
		r.headers(frame)
		if r.text.Len() > MaxAnswer {
			return errFull
		}
	case *http2.DataFrame:
		r.body = append(r.body, frame.Data()...)
		if len(r.body) > MaxAnswer {
			return errFull
		}
		r.ended = frame.StreamEnded()
	case *http2.RSTStreamFrame:
		return fmt.Errorf("the server ends the call: %s", frame.ErrCode)
	case *http2.GoAwayFrame:
		if frame.LastStreamID < healthStream {
			return fmt.Errorf("the server goes away: %s", frame.ErrCode)
		}
	}
	return nil
}

func (r *reply) headers(frame *http2.MetaHeadersFrame) {
	if r.fields == nil {
		r.fields = map[string]string{}
	}
	r.ended = frame.StreamEnded()
	if r.ended && r.fields["content-type"] != "" {
		if status := r.serving(); status != "" {
			fmt.Fprintf(&r.text, "serving-status: %s\n", status)
		}
	}
	for _, field := range frame.Fields {
		r.fields[field.Name] = field.Value
		fmt.Fprintf(&r.text, "%s: %s\n", field.Name, strings.Map(printable, field.Value))
	}
}

// serving is the word of the HealthCheckResponse, whose only field is number 1, a
// varint; without it the status is the first, UNKNOWN. Empty: there is no such message.
func (r *reply) serving() string {
	const prefix, tag = 5, 1 << 3
	if len(r.body) < prefix || r.body[0] != 0 || int(binary.BigEndian.Uint32(r.body[1:])) != len(r.body)-prefix {
		return ""
	}
	message := r.body[prefix:]
	status := uint64(0)
	if len(message) > 0 {
		var n int
		if status, n = binary.Uvarint(message[1:]); message[0] != tag || n <= 0 {
			return ""
		}
	}
	if words := healthWords(); status < uint64(len(words)) {
		return words[status]
	}
	return strconv.FormatUint(status, 10)
}

// judge says whether the response is one of a server in order. What is not gRPC at all
// is judged as HTTP.
func (r *reply) judge() error {
	if status := r.fields[":status"]; len(status) != 3 || status[0] == '5' {
		return fmt.Errorf("status %s", status)
	}
	if !strings.HasPrefix(r.fields["content-type"], "application/grpc") {
		return nil
	}
	status := r.fields["grpc-status"]
	serving := slices.Contains([]string{"SERVING", ""}, r.serving())
	switch {
	case status == grpcUnimplemented, status == grpcOK && serving:
		return nil
	case status == grpcOK:
		return fmt.Errorf("the server says that it is %s", r.serving())
	}
	return fmt.Errorf("grpc-status %s: %s", status, r.fields["grpc-message"])
}

// part ends the connection as HTTP/2 wants it.
func (health) part(c *conversation) {
	_ = http2.NewFramer(c.stream(), nil).WriteGoAway(0, http2.ErrCodeNo, nil) // a courtesy
	c.lingers = true
}

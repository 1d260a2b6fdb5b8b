package metric

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/org/l4-canary/internal/rollout"
)

// patience is how long one answer may take.
const patience = 10 * time.Second

// How much of what a server says is shown, in characters.
const (
	longestLabels  = 200
	longestMessage = 300
)

// Client asks one server. It implements rollout.Meter.
type Client struct {
	server Server
	api    v1.API
}

// NewClient is ready to ask; nothing is sent yet.
func NewClient(s Server) (*Client, error) {
	client, err := api.NewClient(api.Config{Address: s.address, RoundTripper: newTransport(s)})
	if err != nil {
		return nil, errors.New(allowedAddress)
	}
	return &Client{server: s, api: v1.NewAPI(client)}, nil
}

// Ask implements rollout.Meter: the samples of an expression at the server's present
// moment. Those that are no numbers are left out.
func (c *Client) Ask(ctx context.Context, expr string) ([]rollout.Reading, error) {
	limited, cancel := context.WithTimeoutCause(ctx, patience, errSilent)
	defer cancel()
	value, _, _, err := c.api.Query(limited, expr, time.Time{}, v1.WithTimeout(patience))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && errors.Is(context.Cause(limited), errSilent):
		return nil, unreachable(fmt.Sprintf("asking %s: no answer within %s", c.server, patience))
	case err == nil:
		return readings(value)
	}
	blamed := fmt.Sprintf("asking %s: %s", c.server, c.blame(err))
	if e, ok := errors.AsType[*v1.Error](err); !ok || e.Type == v1.ErrClient || e.Type == v1.ErrServer {
		return nil, unreachable(blamed)
	}
	return nil, errors.New(blamed)
}

// ErrUnreachable is matched by errors of a server that did not look at the query.
var ErrUnreachable = errors.New("the server cannot be asked")

// unreachable is such an error.
type unreachable string

func (u unreachable) Error() string { return string(u) }

// Is makes errors.Is match.
func (u unreachable) Is(target error) bool { return target == ErrUnreachable }

var errSilent = errors.New("no answer")

// readings are the numbers of a scalar or a vector.
func readings(value model.Value) ([]rollout.Reading, error) {
	switch v := value.(type) {
	case *model.Scalar:
		return number(nil, "", float64(v.Value)), nil
	case model.Vector:
		var all []rollout.Reading
		for _, s := range v {
			if s.Histogram != nil {
				return nil, errors.New("the query returns a histogram: allowed are numbers, such as a histogram_quantile of it")
			}
			all = number(all, shorten(s.Metric.String(), longestLabels), float64(s.Value))
		}
		return all, nil
	case model.Matrix:
		return nil, errors.New("the query returns a range vector: allowed are a scalar and an instant vector, such as the rate of that range")
	}
	return nil, errors.New("the query returns neither a scalar nor an instant vector")
}

// number adds a sample, unless it is none.
func number(all []rollout.Reading, labels string, value float64) []rollout.Reading {
	if math.IsNaN(value) {
		return all
	}
	return append(all, rollout.Reading{Labels: labels, Value: value})
}

// blame is what the server, or the way to it, says: on one line, without secrets, and not
// at length.
func (c *Client) blame(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*v1.Error](err); ok {
		text = string(e.Type) + ": " + e.Msg
		if e.Type == v1.ErrClient || e.Type == v1.ErrServer { // not in the words of the API
			text = e.Msg + " " + e.Detail
		}
	}
	for _, secret := range c.server.Secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return shorten(strings.Join(strings.Fields(text), " "), longestMessage)
}

// shorten cuts a text that is longer than so many characters.
func shorten(text string, limit int) string {
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return text
}

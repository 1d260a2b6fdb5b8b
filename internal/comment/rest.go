package comment

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// longestAnswer is how much of an answer is read.
const longestAnswer = 32 << 20

// rest speaks JSON with an API.
type rest struct {
	client *http.Client
	base   *url.URL
	token  string
	agent  string
}

// call asks for a path, with in as the body unless it is nil, and reads the answer into
// out unless that is nil. The token goes where Go takes it from a request that a redirect
// leads to another host.
func (r *rest) call(ctx context.Context, method, path string, in, out any) (http.Header, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("writing a request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(r.base.String(), "/")+path, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	request.Header.Set("User-Agent", r.agent)
	request.Header.Set("Accept", "application/json")
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer))
	if response.StatusCode >= 300 {
		return nil, refusal(response.StatusCode, data)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(data, out)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	return response.Header, nil
}

// refusal is what GitLab says: a message, which may be of parts, or an error of OAuth.
func refusal(status int, data []byte) error {
	var body struct {
		Message     json.RawMessage `json:"message"`
		Error       string          `json:"error"`
		Description string          `json:"error_description"`
	}
	failed := &StatusError{Status: status, Limited: status == http.StatusTooManyRequests}
	if json.Unmarshal(data, &body) != nil {
		return failed // a page of a proxy
	}
	words := []string{body.Error, body.Description}
	var message string
	if json.Unmarshal(body.Message, &message) == nil {
		words = append(words, message)
	} else {
		words = append(words, string(body.Message))
	}
	for _, word := range words {
		if word != "" && failed.Message != "" {
			failed.Message += ": "
		}
		failed.Message += word
	}
	return failed
}

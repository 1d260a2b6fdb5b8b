package metric

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Server is a Prometheus server, and what it takes to be let in.
type Server struct {
	// Secrets are texts that must not be shown, the longest first: one may be a part of
	// another.
	Secrets []string

	address        string // without credentials
	user, password string // of basic authentication
	token          string // instead: of bearer
}

// String is the address without anything secret.
func (s Server) String() string { return s.address }

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// NewServer reads an address such as https://user:password@prometheus.example/prefix and
// a bearer token, which may be empty. In both ${NAME} is an environment variable; as a
// user or a password what it holds needs no escapes. Errors never hold a value.
func NewServer(address, token string, getenv func(string) string) (Server, error) {
	e := expander{getenv: getenv}
	var s Server
	before, authority, after := cut(address)
	host := authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		s.user, s.password, host = e.credential(user), e.credential(password), authority[at+1:]
	}
	bearer := expander{getenv: getenv}
	s.token = bearer.expand(token)
	if bearer.err != nil {
		bearer.err = fmt.Errorf("input \"prometheus-token\": %w", bearer.err)
	}
	parsed, err := url.Parse(e.expand(before + host + after))
	e.secrets = append(e.secrets, bearer.secrets...)
	if failed := errors.Join(e.err, bearer.err); failed != nil {
		return Server{}, failed
	}
	if err != nil {
		return Server{}, errors.New(allowedAddress)
	}
	if parsed.User != nil { // all of it came from a variable
		s.user = parsed.User.Username()
		s.password, _ = parsed.User.Password()
		parsed.User = nil
	}
	switch {
	case parsed.Scheme != "http" && parsed.Scheme != "https", parsed.Hostname() == "", parsed.RawQuery != "", parsed.Fragment != "":
		return Server{}, errors.New(allowedAddress)
	case s.token != "" && s.user+s.password != "":
		return Server{}, errors.New("it holds a user while input \"prometheus-token\" is given: leave one of them out")
	case strings.ContainsAny(s.token, "\r\n"):
		return Server{}, errors.New("input \"prometheus-token\": it has to stand on one line")
	}
	s.address, s.Secrets = strings.TrimRight(parsed.String(), "/"), e.secrets
	s.keep(s.password, s.token)
	slices.SortStableFunc(s.Secrets, func(a, b string) int { return len(b) - len(a) })
	return s, nil
}

const allowedAddress = "it has to be an address such as http://prometheus.monitoring:9090 or https://user:${PASSWORD}@prometheus.example/prefix, without a query"

// keep makes secrets of what must not be shown.
func (s *Server) keep(texts ...string) {
	for _, text := range texts {
		if text != "" && !slices.Contains(s.Secrets, text) {
			s.Secrets = append(s.Secrets, text)
		}
	}
}

// cut is an address up to its authority, that, and the rest.
func cut(address string) (before, authority, after string) {
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		return "", "", address
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	return scheme + "://", rest[:end], rest[end:]
}

// expander replaces ${NAME} and remembers what it put in.
type expander struct {
	getenv  func(string) string
	secrets []string
	err     error
}

// expand is a text with the values of its variables.
func (e *expander) expand(text string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed || !variable.MatchString(name) {
			e.err = errors.Join(e.err, errors.New("after ${ allowed are the name of an environment variable and then }"))
			return out.String()
		}
		value := strings.TrimSpace(e.getenv(name))
		if value == "" {
			e.err = errors.Join(e.err, fmt.Errorf("the environment variable %s is empty or not there", name))
		} else if !slices.Contains(e.secrets, value) {
			e.secrets = append(e.secrets, value)
		}
		out.WriteString(value)
		text = rest
	}
}

// credential is a user or a password: what stands in the address has escapes, what a
// variable holds has none.
func (e *expander) credential(text string) string {
	if strings.Contains(text, "${") {
		return e.expand(text)
	}
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

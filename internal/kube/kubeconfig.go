package kube

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// inCluster is the word that asks for the pod's own service account. It is never
// guessed: an empty secret must not deploy to the runner's own cluster.
const inCluster = "in-cluster"

// Connection is how to reach one cluster.
type Connection struct {
	Config    *rest.Config
	Namespace string // the context's, or "default"
	Context   string // empty in a cluster
	Source    string // in words: which file, or "the kubeconfig input"

	TokenExpires time.Time // of a bearer token that says so; zero for all other credentials
	Secrets      []string  // tokens, passwords and keys: what must be starred out of a log
}

// Login says where a kubeconfig is looked for.
type Login struct {
	Kubeconfig string // a path, YAML, base64 of YAML, or "in-cluster"; empty looks in the places below
	Env        string // $KUBECONFIG: paths, separated as in PATH
	Home       string // for .kube/config
	Context    string // empty takes the kubeconfig's current one

	Server    string // URL; stands for a kubeconfig, and needs Token
	Authority []byte // PEM; nil: those that the machine trusts
	Token     string
}

// Connect finds the kubeconfig and reads it. It does not talk to the cluster.
func Connect(l Login) (*Connection, error) {
	switch {
	case l.Server != "":
		return l.direct(), nil
	case l.Kubeconfig == inCluster:
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("input %q is %q: %w", "kubeconfig", inCluster, err)
		}
		return &Connection{Config: config, Namespace: "default", Source: inCluster, Secrets: secrets(config)}, nil
	}
	raw, source, err := l.read()
	if err != nil {
		return nil, err
	}
	return connect(raw, cmp.Or(l.Context, raw.CurrentContext), source)
}

// connect makes a connection of a context of a kubeconfig.
func connect(raw *clientcmdapi.Config, name, source string) (*Connection, error) {
	if err := check(raw, name, source); err != nil {
		return nil, err
	}
	used := inUse(raw, name)
	if err := sound(used, source); err != nil {
		return nil, err
	}
	if err := present(used, source); err != nil {
		return nil, err
	}
	client := clientcmd.NewNonInteractiveClientConfig(*raw, name, &clientcmd.ConfigOverrides{}, nil)
	config, err := client.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", source, err)
	}
	namespace, _, err := client.Namespace()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", source, err)
	}
	if err = usable(config, source); err != nil {
		return nil, err
	}
	return &Connection{
		Config: config, Namespace: namespace, Context: name, Source: source, TokenExpires: expiry(config.BearerToken),
		Secrets: secrets(config, used.cluster.Server, used.cluster.ProxyURL),
	}, nil
}

// Server is the address of the API server as it may be shown.
func (c *Connection) Server() string {
	server, err := url.Parse(c.Config.Host)
	if err != nil {
		return c.Config.Host
	}
	return server.Redacted()
}

// Loopback reports whether the server is on the very machine, or container, that the
// process runs on.
func (c *Connection) Loopback() bool {
	server, err := url.Parse(c.Config.Host)
	if err != nil {
		return false
	}
	ip := net.ParseIP(server.Hostname())
	return server.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// expiry is when a JSON web token ends, https://www.rfc-editor.org/rfc/rfc7519#section-4.1.4
// Its signature is the API server's concern.
func expiry(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Expires int64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Expires == 0 {
		return time.Time{}
	}
	return time.Unix(claims.Expires, 0)
}

// longestShown is the most of a value that is taken for a path and shown: longer
// ones may be credentials, such as base64 that was cut off.
const longestShown = 120

// encoded reports whether a value is rather base64 than a path, of whatever that may be, or a
// token, https://www.rfc-editor.org/rfc/rfc7519#section-3.1
func encoded(value string) bool {
	const shortest = 32
	if strings.HasPrefix(value, "eyJ") {
		return true
	}
	_, err := base64.StdEncoding.DecodeString(value)
	return err == nil && len(value) >= shortest && !strings.HasPrefix(value, "/")
}

// errUnreadable says no more than that: a parser's words may quote the text, which holds
// credentials.
var errUnreadable = errors.New("input \"kubeconfig\" is neither a path nor a readable kubeconfig (YAML or base64 of it)")

// read loads the kubeconfig and says where it came from, never what it says.
func (l Login) read() (*clientcmdapi.Config, string, error) {
	if text, ok := inline(l.Kubeconfig); ok {
		const source = "the kubeconfig input"
		config, err := clientcmd.Load(text)
		if err != nil {
			return nil, source, errUnreadable
		}
		return config, source, nil
	}
	if len(l.Kubeconfig) > longestShown || encoded(l.Kubeconfig) {
		if _, err := os.Stat(l.Kubeconfig); err != nil { // its own words quote the value
			return nil, "", errUnreadable
		}
	}
	paths, source := l.paths()
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: paths}
	if len(paths) == 1 {
		rules = &clientcmd.ClientConfigLoadingRules{ExplicitPath: paths[0]}
	}
	config, err := rules.Load()
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, source, fmt.Errorf("no kubeconfig at %s: set the input %q to a path, to YAML or base64 text, or to %q%s",
			source, "kubeconfig", inCluster, l.nothingGiven())
	case err != nil && strings.Contains(err.Error(), "is registered for version"):
		return nil, source, fmt.Errorf("%s is no kubeconfig: it holds an object of another kind", source)
	case err != nil:
		return nil, source, fmt.Errorf("reading %s: %w", source, err)
	}
	return config, source, nil
}

// nothingGiven says why nothing may have been given.
func (l Login) nothingGiven() string {
	if l.Kubeconfig != "" || l.Env != "" {
		return ""
	}
	return "\n  hint: a secret that does not exist, or that a fork may not have, is empty, and an empty input counts as none"
}

// paths are the files to load, merged as kubectl does.
func (l Login) paths() ([]string, string) {
	switch {
	case l.Kubeconfig != "":
		return []string{l.Kubeconfig}, l.Kubeconfig
	case l.Env != "":
		return filepath.SplitList(l.Env), "$KUBECONFIG (" + l.Env + ")"
	default:
		path := filepath.Join(l.Home, ".kube", "config")
		return []string{path}, path
	}
}

// byteOrderMark is what some editors begin a text with.
const byteOrderMark = "\ufeff"

// inline is the kubeconfig itself where the value is one, as YAML or base64, which
// may be wrapped as base64(1) does and lack its padding.
func inline(value string) ([]byte, bool) {
	value = strings.TrimPrefix(value, byteOrderMark)
	packed := strings.TrimRight(strings.Join(strings.Fields(value), ""), "=")
	decoded, err := base64.RawStdEncoding.DecodeString(packed)
	if err == nil && strings.Contains(string(decoded), "apiVersion") {
		return bytes.TrimPrefix(decoded, []byte(byteOrderMark)), true
	}
	return []byte(value), strings.Contains(value, "apiVersion") || strings.Contains(value, "\n")
}

// check finds what would fail later with a message that helps nobody.
func check(config *clientcmdapi.Config, name, source string) error {
	if len(config.Contexts) == 0 {
		return fmt.Errorf("%s holds no context: it is empty or no kubeconfig", source)
	}
	if name == "" {
		return fmt.Errorf("%s has no current-context: set the input %q to one of %s", source, "context", contexts(config))
	}
	found := config.Contexts[name]
	switch {
	case found == nil:
		return fmt.Errorf("%s has no context %q: allowed are %s", source, name, contexts(config))
	case config.Clusters[found.Cluster] == nil:
		return fmt.Errorf("%s has no cluster %q, which its context %q names", source, found.Cluster, name)
	case found.AuthInfo != "" && config.AuthInfos[found.AuthInfo] == nil:
		return fmt.Errorf("%s has no user %q, which its context %q names", source, found.AuthInfo, name)
	}
	return nil
}

func contexts(config *clientcmdapi.Config) string {
	var names []string
	for name := range config.Contexts {
		names = append(names, fmt.Sprintf("%q", name))
	}
	return strings.Join(sorted(names), ", ")
}

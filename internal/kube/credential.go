package kube

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// direct is a cluster that is named without a kubeconfig.
func (l Login) direct() *Connection {
	config := &rest.Config{Host: l.Server, BearerToken: l.Token, TLSClientConfig: rest.TLSClientConfig{CAData: l.Authority}}
	return &Connection{
		Config: config, Namespace: "default", Source: "input kube-server", TokenExpires: expiry(l.Token), Secrets: secrets(config),
	}
}

// leastSecret is the shortest secret that is starred out of a log: of shorter ones every line
// would be full of stars.
const leastSecret = 6

// secrets are the credentials of a client, as they could turn up in a log: a key as a kubeconfig
// has it, and each line of it, and the passwords in addresses. Addresses themselves, names and
// certificates are none: a log that stars them out says nothing.
func secrets(config *rest.Config, addresses ...string) []string {
	candidates := []string{config.BearerToken, config.Password}
	for _, address := range addresses {
		if parsed, err := url.Parse(address); err == nil {
			password, _ := parsed.User.Password()
			candidates = append(candidates, password)
		}
	}
	if data, err := os.ReadFile(config.BearerTokenFile); err == nil {
		candidates = append(candidates, string(data))
	}
	key := config.KeyData
	if data, err := os.ReadFile(config.KeyFile); err == nil {
		key = data
	}
	if len(key) > 0 {
		candidates = append(candidates, base64.StdEncoding.EncodeToString(key))
		for line := range strings.Lines(string(key)) {
			if !strings.HasPrefix(line, "-----") {
				candidates = append(candidates, line)
			}
		}
	}
	var found []string
	for _, candidate := range candidates {
		candidate = strings.TrimSpace(candidate) // as a file may end with a line break
		if len(candidate) >= leastSecret && !slices.Contains(found, candidate) {
			found = append(found, candidate)
		}
	}
	return found
}

// usable says why a kubeconfig that is sound cannot work where the process runs.
func usable(config *rest.Config, source string) error {
	if gone := config.AuthProvider; gone != nil {
		return fmt.Errorf("%s: its auth-provider %q is of a kind that Kubernetes 1.26 has removed: use its exec plugin, or a token", source, gone.Name)
	}
	plugin := config.ExecProvider
	if plugin == nil {
		return nil
	}
	const versions = "client.authentication.k8s.io/v1 and client.authentication.k8s.io/v1beta1"
	if !slices.Contains(strings.Split(versions, " and "), plugin.APIVersion) {
		return fmt.Errorf("%s: its exec plugin %q speaks %q: allowed are %s", source, plugin.Command, plugin.APIVersion, versions)
	}
	if plugin.InteractiveMode == clientcmdapi.AlwaysExecInteractiveMode {
		return fmt.Errorf("%s: its exec plugin %q wants to be typed to (interactiveMode: Always), and nobody is there: allowed are Never and IfAvailable", source, plugin.Command)
	}
	if _, err := exec.LookPath(plugin.Command); err == nil {
		return nil
	}
	const most = 200
	hint := strings.Join(strings.Fields(plugin.InstallHint), " ")
	if hint != "" {
		hint = fmt.Sprintf("\n  hint: the kubeconfig says of it: %q", hint[:min(most, len(hint))])
	}
	return fmt.Errorf("%s: its exec plugin %q is not on the PATH: install it where this runs, or use a kubeconfig with a token, or kube-server and kube-token\n"+
		"  hint: a container action has none of the runner's programs; the host action has them all%s", source, plugin.Command, hint)
}

// used is what a context names: only that of a kubeconfig counts.
type used struct {
	cluster *clientcmdapi.Cluster
	user    *clientcmdapi.AuthInfo
}

// inUse is what the context names in a kubeconfig that is sound so far.
func inUse(config *clientcmdapi.Config, name string) used {
	found := config.Contexts[name]
	user := config.AuthInfos[found.AuthInfo]
	if user == nil {
		user = &clientcmdapi.AuthInfo{}
	}
	return used{config.Clusters[found.Cluster], user}
}

// sound says what could reach no server, before anybody prints it: the words of the parsers
// quote addresses with their passwords, and those of a transport come with a second's delay.
func sound(u used, source string) error {
	switch {
	case u.cluster.Server == "":
	case !address(u.cluster.Server, "https", "http"):
		return fmt.Errorf("%s: the server of its cluster is no address such as https://203.0.113.7:6443", source)
	case u.cluster.ProxyURL != "" && !address(u.cluster.ProxyURL, "http", "https", "socks5"):
		return fmt.Errorf("%s: the proxy-url of its cluster is no address such as http://proxy.example:3128: allowed are http, https and socks5", source)
	}
	if strings.ContainsFunc(u.user.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%s: the token of its user holds a blank, a line break or another character that no token has", source)
	}
	return nil
}

// address reports whether a text is one, of such a scheme. Without any it is of the first.
func address(text string, schemes ...string) bool {
	if !strings.Contains(text, "://") {
		text = schemes[0] + "://" + text
	}
	parsed, err := url.Parse(text)
	return err == nil && slices.Contains(schemes, parsed.Scheme) && parsed.Hostname() != ""
}

// present says which files that a kubeconfig names cannot be read where the process runs, all of
// them at once.
func present(u used, source string) error {
	files := []struct{ field, path string }{
		{"certificate-authority", u.cluster.CertificateAuthority}, {"client-certificate", u.user.ClientCertificate},
		{"client-key", u.user.ClientKey}, {"tokenFile", u.user.TokenFile},
	}
	var missing []string
	for _, file := range files {
		if file.path == "" {
			continue
		}
		if err := readable(file.path); err != nil {
			missing = append(missing, fmt.Sprintf("%s %q", file.field, file.path))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%s names files that cannot be read here: %s\n"+
		"  hint: a container action sees nothing of the runner's home; where the files are, kubectl config view --raw --flatten --minify makes a kubeconfig that holds them",
		source, strings.Join(missing, ", "))
}

// readable reports whether a file can be read, and to its end: a device has none, and a pipe may
// keep one waiting.
func readable(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return os.ErrInvalid
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return file.Close()
}

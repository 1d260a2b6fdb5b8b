package kube

import (
	"encoding/base64"
	"fmt"
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
// has it, and each line of it. Addresses, names and certificates are none: a log that stars them
// out says nothing.
func secrets(config *rest.Config) []string {
	candidates := []string{config.BearerToken, config.Password}
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
	plugin := config.ExecProvider
	if plugin == nil {
		return nil
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

// present says which files that a kubeconfig names cannot be read where the process runs, all of
// them at once. Only those of the context in use count.
func present(config *clientcmdapi.Config, name, source string) error {
	if name == "" {
		name = config.CurrentContext
	}
	used := config.Contexts[name]
	files := []struct{ field, path string }{{"certificate-authority", config.Clusters[used.Cluster].CertificateAuthority}}
	if user := config.AuthInfos[used.AuthInfo]; user != nil {
		files = append(files, []struct{ field, path string }{
			{"client-certificate", user.ClientCertificate}, {"client-key", user.ClientKey}, {"tokenFile", user.TokenFile},
		}...)
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

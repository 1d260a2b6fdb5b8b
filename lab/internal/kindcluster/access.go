package kindcluster

import (
	"context"
	"crypto/rand"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/org/l4-canary/lab/internal/cluster"
)

func (l layout) tokens() string { return filepath.Join(l.config(), "tokens.csv") }

// writeConfig writes what the API server reads, a fresh token included.
func (l layout) writeConfig() error {
	restricted := string(cluster.Restricted)
	tokens := strings.Join([]string{rand.Text(), restricted, restricted}, ",") + "\n"
	if err := os.WriteFile(l.tokens(), []byte(tokens), 0o600); err != nil {
		return fmt.Errorf("writing the tokens: %w", err)
	}
	if err := os.WriteFile(filepath.Join(l.config(), "audit.yaml"), []byte(auditPolicy), 0o644); err != nil {
		return fmt.Errorf("writing the audit policy: %w", err)
	}
	// The API server, which is root, appends to a log that is there already; one
	// of its own making nobody else could read.
	if err := os.WriteFile(l.auditLog(), nil, 0o600); err != nil {
		return fmt.Errorf("writing the audit log: %w", err)
	}
	return nil
}

// token reads back the restricted user's.
func (l layout) token() (string, error) {
	file, err := os.Open(l.tokens())
	if err != nil {
		return "", fmt.Errorf("reading the tokens: %w", err)
	}
	defer func() { _ = file.Close() }()
	record, err := csv.NewReader(file).Read()
	if err != nil {
		return "", fmt.Errorf("reading the tokens: %w", err)
	}
	return record[0], nil
}

// admit writes the restricted user's kubeconfig and grants that user its rights.
func (p *Provider) admit(ctx context.Context, name string) error {
	l := p.at(name)
	admin, err := clientcmd.LoadFromFile(l.kubeconfig(cluster.Admin))
	if err != nil {
		return fmt.Errorf("reading the admin's kubeconfig: %w", err)
	}
	token, err := l.token()
	if err != nil {
		return err
	}
	if err = clientcmd.WriteToFile(*restrict(admin, token), l.kubeconfig(cluster.Restricted)); err != nil {
		return fmt.Errorf("writing the restricted user's kubeconfig: %w", err)
	}
	client, err := p.client(name)
	if err != nil {
		return err
	}
	return p.Grant(ctx, client)
}

// restrict is the admin's kubeconfig with the restricted user in the admin's place.
func restrict(admin *api.Config, token string) *api.Config {
	config := admin.DeepCopy()
	user := string(cluster.Restricted)
	config.AuthInfos = map[string]*api.AuthInfo{user: {Token: token}}
	for _, context := range config.Contexts {
		context.AuthInfo = user
	}
	return config
}

// client is the admin's.
func (p *Provider) client(name string) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", p.at(name).kubeconfig(cluster.Admin))
	if err != nil {
		return nil, fmt.Errorf("reading the admin's kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to lab %q: %w", name, err)
	}
	return client, nil
}

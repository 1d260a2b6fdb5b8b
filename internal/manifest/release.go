package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Release is the digest that tells one rollout from another: of namespace, Service
// name, roles and both pod templates, and of nothing else. Counts, metadata and other
// objects do not change it.
func Release(namespace, service string, roles Roles) (string, error) {
	// encoding/json sorts the keys of maps, so equal templates give equal bytes.
	data, err := json.Marshal([]any{
		namespace, service,
		roles.Stable.Name, field(roles.Stable.Object().Object, "spec", "template"),
		roles.Canary.Name, field(roles.Canary.Object().Object, "spec", "template"),
	})
	if err != nil {
		return "", fmt.Errorf("digesting the release of Service %q: %w", service, err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

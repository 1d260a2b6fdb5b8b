package registry

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// refusal is an error in the registry's form.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#error-codes
type refusal struct {
	status        int
	code, message string
	challenge     string // WWW-Authenticate, if any
}

// refuse says why a request is turned away, or nil.
func refuse(method, repository string) *refusal {
	elements := strings.Split(repository, "/")
	switch {
	case method != http.MethodGet && method != http.MethodHead:
		return &refusal{status: http.StatusMethodNotAllowed, code: "UNSUPPORTED", message: "this registry is read-only"}
	case slices.Contains(elements, "missing"):
		return &refusal{status: http.StatusNotFound, code: "MANIFEST_UNKNOWN", message: "manifest unknown"}
	case slices.Contains(elements, "denied"):
		return &refusal{status: http.StatusForbidden, code: "DENIED", message: "requested access to the resource is denied"}
	case slices.Contains(elements, "private"):
		return &refusal{
			status: http.StatusUnauthorized, code: "UNAUTHORIZED", message: "authentication required",
			challenge: `Basic realm="lab"`,
		}
	}
	return nil
}

func (r *refusal) write(w http.ResponseWriter) {
	type entry struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	w.Header().Set("Content-Type", "application/json")
	if r.challenge != "" {
		w.Header().Set("WWW-Authenticate", r.challenge)
	}
	w.WriteHeader(r.status)
	body := map[string][]entry{"errors": {{Code: r.code, Message: r.message}}}
	_ = json.NewEncoder(w).Encode(body) // the client has gone: nobody is left to tell
}

// Package cluster says what a lab is, whichever way it is made: the options a
// user may give, what a running lab tells about itself, and the interface that
// the native and the kind provider implement.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
)

// ErrNotFound is returned where a lab is asked for that does not exist.
var ErrNotFound = errors.New("no such lab")

// NotFound is ErrNotFound of a lab, with what to do about it.
func NotFound(name string) error {
	return fmt.Errorf("%w: %q; make it with: lab up --name %s", ErrNotFound, name, name)
}

// Provider makes and removes labs.
type Provider interface {
	// Build makes the binaries that Up needs and the cache does not hold.
	Build(ctx context.Context) error
	// Up makes the lab and returns when it can be used. If a lab of that name
	// and these options already runs it says so and changes nothing; one that
	// runs with other options is an error.
	Up(ctx context.Context, opts Options) error
	// Down removes everything that Up made. A lab that does not exist is no error.
	Down(ctx context.Context, name string) error
	// Status describes the lab; ErrNotFound if there is none.
	Status(ctx context.Context, name string) (Status, error)
	// Kubeconfig returns the path of the user's kubeconfig; ErrNotFound if
	// there is no such lab.
	Kubeconfig(ctx context.Context, name string, user User) (string, error)
}

// User is one of the two people that a lab knows.
type User string

// The users. Restricted may do in namespace "default" what a rollout needs, and
// nothing else anywhere.
const (
	Admin      User = "admin"
	Restricted User = "restricted"
)

// ProxyMode is how kube-proxy balances.
type ProxyMode string

// The proxy modes. There is no IPVS: many kernels come without it.
const (
	NFTables ProxyMode = "nftables"
	IPTables ProxyMode = "iptables"
)

// Status is what a lab tells about itself, and the JSON of "lab status".
type Status struct {
	Name       string         `json:"name"`
	Provider   string         `json:"provider"`
	Running    bool           `json:"running"` // every process lives and every node is ready
	ProxyMode  ProxyMode      `json:"proxyMode"`
	DualStack  bool           `json:"dualStack"`
	Server     string         `json:"server"`     // URL of the API server
	Kubeconfig string         `json:"kubeconfig"` // path, of the admin
	Restricted string         `json:"restrictedKubeconfig"`
	AuditLog   string         `json:"auditLog"` // path; empty where the provider keeps none
	Logs       string         `json:"logs"`     // folder
	Registry   string         `json:"registry"` // host:port, as the nodes reach it
	Pools      []netip.Prefix `json:"pools"`    // of LoadBalancer addresses
	RSS        int64          `json:"rssBytes"` // of all processes, pods included; shared pages count in each
	PSS        int64          `json:"pssBytes"` // the same, shared pages counted once
	Nodes      []Node         `json:"nodes"`
	Processes  []Process      `json:"processes"`
}

// Node is one node of a lab.
type Node struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Ready   bool   `json:"ready"`
}

// Process is one process of a lab.
type Process struct {
	Name    string `json:"name"`
	PID     int    `json:"pid"`
	Running bool   `json:"running"`
	RSS     int64  `json:"rssBytes"`
	Log     string `json:"log"`
}

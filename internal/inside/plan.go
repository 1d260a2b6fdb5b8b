package inside

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/spec"
)

// Format is the version of the plan and of the lines. It rises with every change: both
// ends are to be of one version of the program, or of two that say the same.
const Format = 1

// Plan is everything a pod needs to know of a window. It may hold secrets of probes.
type Plan struct {
	Format int  `json:"format"`
	Spec   Spec `json:"spec"`

	Available []spec.Port `json:"available"` // ports of the Service
	Asked     []string    `json:"asked"`     // those that are left of them, as in "80/TCP"
	Addresses []string    `json:"addresses"` // literal, or names that the pod resolves
	Rate      float64     `json:"rate"`
	Close     probe.Close `json:"close"`
	Seed      uint64      `json:"seed"`

	Stable string              `json:"stable"` // patterns; empty: none
	Canary string              `json:"canary"`
	Known  []*probe.Classifier `json:"known"`  // by asked port, in place of the patterns
	Listen bool                `json:"listen"` // answers come back, and nobody classifies them there
	Key    []byte              `json:"key"`    // that seals them
}

// Spec is an input "probe" with what it refers to.
type Spec struct {
	Text  string            `json:"text"`
	Env   map[string]string `json:"env"`
	Files map[string][]byte `json:"files"`
}

// Keep is a source that remembers in the spec what was read from another.
func (s *Spec) Keep(from spec.Source) spec.Source {
	s.Env, s.Files = map[string]string{}, map[string][]byte{}
	return spec.Source{
		Getenv: func(name string) string {
			s.Env[name] = from.Getenv(name)
			return s.Env[name]
		},
		ReadFile: func(name string) ([]byte, error) {
			data, err := from.ReadFile(name)
			if err == nil {
				s.Files[name] = data
			}
			return data, err
		},
	}
}

// source gives what was kept, and nothing else.
func (s *Spec) source() spec.Source {
	return spec.Source{
		Getenv: func(name string) string { return s.Env[name] },
		ReadFile: func(name string) ([]byte, error) {
			data, ok := s.Files[name]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			return data, nil
		},
	}
}

// keySize is that of AES-256.
const keySize = 32

// Encode is the plan as text, with a key of its own.
func (p *Plan) Encode() ([]byte, error) {
	p.Format, p.Key = Format, make([]byte, keySize)
	if _, err := rand.Read(p.Key); err != nil {
		return nil, err
	}
	return json.Marshal(p)
}

// DecodePlan is the inverse. It is strict: what it does not know it does not carry out.
func DecodePlan(data []byte) (Plan, error) {
	var version struct{ Format int }
	if err := json.Unmarshal(data, &version); err != nil {
		return Plan{}, fmt.Errorf("reading the plan: %w", err)
	}
	if version.Format != Format {
		return Plan{}, fmt.Errorf("reading the plan: it is of format %d, and this program's is %d", version.Format, Format)
	}
	var p Plan
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return Plan{}, fmt.Errorf("reading the plan: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Plan{}, errors.New("reading the plan: something stands behind it")
	}
	if len(p.Key) != keySize {
		return Plan{}, fmt.Errorf("reading the plan: its key has %d bytes, and has to have %d", len(p.Key), keySize)
	}
	return p, nil
}

// ports are those that are asked, with their probes.
func (p *Plan) ports() ([]probe.Port, error) {
	probes, err := spec.Load(p.Spec.Text, p.Spec.source())
	if err != nil {
		return nil, err
	}
	ports, _, err := probes.Ports(p.Available)
	if err != nil {
		return nil, err
	}
	if found := names(ports); !slices.Equal(found, p.Asked) {
		return nil, fmt.Errorf("the plan asks ports %q, and its probes %q", p.Asked, found)
	}
	return ports, nil
}

func names(ports []probe.Port) []string {
	var found []string
	for _, port := range ports {
		found = append(found, port.String())
	}
	return found
}

// classifiers are those of each asked port; nil while answers are listened to.
func (p *Plan) classifiers() ([]*probe.Classifier, error) {
	switch {
	case p.Listen:
		return nil, nil
	case p.Known == nil:
		patterns, err := probe.NewClassifier(p.Stable, p.Canary)
		return slices.Repeat([]*probe.Classifier{patterns}, len(p.Asked)), err
	case len(p.Known) != len(p.Asked):
		return nil, fmt.Errorf("the plan asks %d ports and knows the answers of %d", len(p.Asked), len(p.Known))
	}
	return p.Known, nil
}

// seal makes and opens what nobody else shall read.
func (p *Plan) seal() (cipher.AEAD, error) {
	block, err := aes.NewCipher(p.Key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

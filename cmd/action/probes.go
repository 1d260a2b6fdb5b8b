package main

import (
	"fmt"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/inside"
	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/spec"
)

// probes reads how ports are asked. What came from the environment is starred out of
// the job log from here on.
func (c *Command) probes(input string) (spec.Probes, error) {
	probes, _, err := c.probesOf(input)
	return probes, err
}

// probesOf also keeps everything that they were read from.
func (c *Command) probesOf(input string) (spec.Probes, inside.Spec, error) {
	kept := inside.Spec{Text: input}
	probes, err := spec.Load(input, kept.Keep(spec.Source{
		Getenv:   c.Getenv,
		ReadFile: c.read,
	}))
	c.mask(probes.Secrets)
	return probes, kept, err
}

// checkProbe adds to the problems of the inputs those of the probe.
func (c *Command) checkProbe(input string, err error) error {
	return amend(err, "probe", func() config.Problems {
		_, wrong := c.probes(input)
		if wrong == nil {
			return nil
		}
		return problemsOf("probe", wrong)
	})
}

// choosePorts pairs the ports of the Service with their probes.
func (p *prepared) choosePorts() error {
	p.ports = nil
	for _, port := range manifest.ServicePorts(p.service) {
		p.ports = append(p.ports, spec.Port{
			Name: port.Name, AppProtocol: port.AppProtocol, Number: uint16(port.Number), Protocol: probe.Protocol(port.Protocol),
		})
	}
	asked, left, err := p.probes.Ports(p.ports)
	if err != nil {
		return fmt.Errorf("input \"probe\": %w", err)
	}
	for _, port := range left {
		p.note(fmt.Sprintf("port %s is not measured: its probe is none", port))
	}
	p.options.Ports = asked
	return nil
}

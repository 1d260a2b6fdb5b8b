package manifest

import (
	"fmt"
	"slices"
	"strings"
)

// containerPort is a port that a container declares.
type containerPort struct {
	name     string
	number   string
	protocol string
}

// containerPorts are the ports of all containers that run beside each other: init
// containers count if they are sidecars, as in
// https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/api/v1/pod/util.go#L33
func containerPorts(o Object) []containerPort {
	running := containers(o, "containers")
	for _, sidecar := range containers(o, "initContainers") {
		if text(sidecar, "restartPolicy") == "Always" {
			running = append(running, sidecar)
		}
	}
	var ports []containerPort
	for _, container := range running {
		items, _ := container["ports"].([]any)
		for _, item := range items {
			entry, _ := item.(map[string]any)
			port := containerPort{text(entry, "name"), plain(entry["containerPort"]), text(entry, "protocol")}
			if port.protocol == "" {
				port.protocol = "TCP"
			}
			ports = append(ports, port)
		}
	}
	return ports
}

// portProblems are Service ports that reach only one of the sides.
func portProblems(service Object, roles Roles) Problems {
	var problems Problems
	for _, port := range ServicePorts(service) {
		if strings.Trim(port.TargetPort, "0123456789") != "" {
			problems = append(problems, namedProblem(port, roles.Stable)...)
			problems = append(problems, namedProblem(port, roles.Canary)...)
			continue
		}
		problems = append(problems, protocolProblem(port, roles.Stable, roles.Canary)...)
		problems = append(problems, protocolProblem(port, roles.Canary, roles.Stable)...)
	}
	return problems
}

// namedProblem says if a role has no container port of the name that a Service port
// targets, with its protocol.
func namedProblem(port ServicePort, role Role) Problems {
	object := role.Current()
	var declared []string
	for _, p := range containerPorts(object) {
		if p.name == port.TargetPort && p.protocol == port.Protocol {
			return nil
		}
		if p.name != "" {
			declared = append(declared, p.name+"/"+p.protocol)
		}
	}
	found := "no named port"
	if len(declared) > 0 {
		found = conjoin(declared)
	}
	return Problems{{Place: object.Place,
		Message: fmt.Sprintf("Deployment %q: Service port %d/%s targets container port %q, but its containers have %s",
			role.Name, port.Number, port.Protocol, port.TargetPort, found),
		Hint: fmt.Sprintf("name the port in one of its containers: ports: [{name: %s, containerPort: ..., protocol: %s}]", port.TargetPort, port.Protocol)}}
}

// protocolProblem says if a role declares a target port only for another protocol while
// the other role has it right. A port that nobody declares may work all the same.
func protocolProblem(port ServicePort, role, other Role) Problems {
	object := role.Current()
	own := protocols(object, port.TargetPort)
	if len(own) == 0 || slices.Contains(own, port.Protocol) || !slices.Contains(protocols(other.Current(), port.TargetPort), port.Protocol) {
		return nil
	}
	return Problems{{Place: object.Place,
		Message: fmt.Sprintf("Deployment %q: Service port %d/%s targets container port %s, which it declares for %s only; Deployment %q declares it for %s",
			role.Name, port.Number, port.Protocol, port.TargetPort, conjoin(own), other.Name, port.Protocol),
		Hint: fmt.Sprintf("declare it in both: ports: [{containerPort: %s, protocol: %s}]", port.TargetPort, port.Protocol)}}
}

// protocols are those for which a port's number is declared.
func protocols(o Object, number string) []string {
	var found []string
	for _, p := range containerPorts(o) {
		if p.number == number {
			found = append(found, p.protocol)
		}
	}
	return found
}

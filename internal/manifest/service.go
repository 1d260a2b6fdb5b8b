package manifest

import "slices"

// ServicePort is a port of a Service.
type ServicePort struct {
	Name        string // may be empty where there is only one
	Number      int
	Protocol    string // TCP, UDP or SCTP
	AppProtocol string
	TargetPort  string // a number or a container port's name, as text
}

// ServicePorts are the ports of a Service in its own order, defaults made explicit.
func ServicePorts(service Object) []ServicePort {
	items, _ := field(service.Object, "spec", "ports").([]any)
	var ports []ServicePort
	for _, item := range items {
		entry, ok := item.(map[string]any)
		if !ok {
			continue
		}
		port := ServicePort{
			Name: text(entry, "name"), Number: number(entry["port"]),
			Protocol: text(entry, "protocol"), AppProtocol: text(entry, "appProtocol"),
			TargetPort: plain(entry["targetPort"]),
		}
		if port.Protocol == "" {
			port.Protocol = "TCP"
		}
		if port.TargetPort == "" || port.TargetPort == "0" {
			port.TargetPort = plain(entry["port"])
		}
		ports = append(ports, port)
	}
	return ports
}

// Selector are the labels by which a Service finds its pods.
func Selector(service Object) map[string]string {
	return stringMap(field(service.Object, "spec", "selector"))
}

// IsLoadBalancer reports whether a Service asks for a balancer.
func IsLoadBalancer(service Object) bool {
	return text(service.Object, "spec", "type") == "LoadBalancer"
}

// IsLocal reports whether a Service sends flows only to pods of the node that they
// reached.
func IsLocal(service Object) bool {
	return text(service.Object, "spec", "externalTrafficPolicy") == "Local"
}

// IsSticky reports whether a Service keeps a client with the pod it reached first.
func IsSticky(service Object) bool {
	return text(service.Object, "spec", "sessionAffinity") == "ClientIP"
}

// PublishesUnready reports whether a Service sends flows to pods that are not ready.
func PublishesUnready(service Object) bool {
	publishes, _ := field(service.Object, "spec", "publishNotReadyAddresses").(bool)
	return publishes
}

// Families are the address families that a Service asks for by name; none leaves them
// to the cluster.
func Families(service Object) []string {
	items, _ := field(service.Object, "spec", "ipFamilies").([]any)
	var families []string
	for _, item := range items {
		if family, ok := item.(string); ok {
			families = append(families, family)
		}
	}
	return families
}

// HasUDP reports whether a port of a Service is UDP.
func HasUDP(service Object) bool {
	return slices.ContainsFunc(ServicePorts(service), func(p ServicePort) bool { return p.Protocol == "UDP" })
}

// selects reports whether a Service's selector matches labels. An empty selector
// selects nothing: its endpoints are someone else's work.
func selects(selector, labels map[string]string) bool {
	for key, value := range selector {
		if got, ok := labels[key]; !ok || got != value {
			return false
		}
	}
	return len(selector) > 0
}

package manifest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/manifest"
)

// checked assigns roles with blue as stable and checks them.
func checked(t *testing.T, text, address string, live ...manifest.Live) string {
	t.Helper()
	set := readText(t, text)
	lobby, err := set.Service("lobby")
	require.NoError(t, err)
	selection, err := set.Behind(lobby)
	require.NoError(t, err)
	roles, err := manifest.AssignRoles(selection, live, "blue", "green")
	require.NoError(t, err)
	return manifest.Check(lobby, roles, address).Error()
}

func TestCheck(t *testing.T) {
	t.Parallel()
	blue, green := deployment("blue"), deployment("green")
	ports := func(text, ports string) string {
		return strings.Replace(text, "containers: [{", "containers: [{ports: ["+ports+"], ", 1)
	}
	named := strings.Replace(service(), "protocol: TCP", "protocol: TCP, targetPort: game", 1)
	const game = "{name: game, containerPort: 7000}"
	tests := []struct{ name, text, address, want string }{
		{"fine", service() + blue + green, "", ""},
		{"no balancer", strings.Replace(service(), "type: LoadBalancer", "type: NodePort", 1) + blue + green, "",
			`a.yaml:2: Service "lobby" is of type NodePort: there is no balancer whose split could be measured
  hint: write type: LoadBalancer, or give the address to sample in input "address"`},
		{"no type", strings.Replace(service(), "  type: LoadBalancer\n", "", 1) + blue + green, "",
			`a.yaml:2: Service "lobby" is of type ClusterIP: there is no balancer whose split could be measured
  hint: write type: LoadBalancer, or give the address to sample in input "address"`},
		{"no balancer, but an address", strings.Replace(service(), "type: LoadBalancer", "type: NodePort", 1) + blue + green, "192.0.2.7", ""},
		{"a selector matches the other's pods", service() + strings.Replace(blue, "matchLabels: {app: lobby, version: blue}", "matchLabels: {app: lobby}", 1) + green, "",
			`a.yaml:10: Deployment "blue": its selector app=lobby also matches the pods of Deployment "green", which have labels app=lobby,version=green
  hint: add a label to both selectors and pod templates that differs between the two`},
		{"an expression matches the other's pods", service() + blue + strings.Replace(green, "{matchLabels: {app: lobby, version: green}}", "{matchExpressions: [{key: version, operator: Exists}]}", 1), "",
			`a.yaml:21: Deployment "green": its selector version also matches the pods of Deployment "blue", which have labels app=lobby,version=blue
  hint: add a label to both selectors and pod templates that differs between the two`},
		{"a selector misses its own pods", service() + blue + strings.Replace(green, "matchLabels: {app: lobby, version: green}", "matchLabels: {version: red}", 1), "",
			`a.yaml:21: Deployment "green": its selector version=red does not match its own pod template's labels app=lobby,version=green
  hint: write the same labels in spec.selector.matchLabels and spec.template.metadata.labels`},
		{"a selector without sense", service() + blue + strings.Replace(green, "{matchLabels: {app: lobby, version: green}}", "{matchExpressions: [{key: a, operator: Near}]}", 1), "",
			`a.yaml:21: Deployment "green": reading its selector: "Near" is not a valid label selector operator`},
		{"named port on both sides", named + ports(blue, game) + ports(green, game), "", ""},
		{"named port missing", named + ports(blue, game) + ports(green, "{name: state, containerPort: 7000, protocol: UDP}"), "",
			`a.yaml:21: Deployment "green": Service port 7000/TCP targets container port "game", but its containers have state/UDP
  hint: name the port in one of its containers: ports: [{name: game, containerPort: ..., protocol: TCP}]`},
		{"named port for another protocol", named + ports(blue, game) + ports(green, "{name: game, containerPort: 7000, protocol: UDP}"), "",
			`a.yaml:21: Deployment "green": Service port 7000/TCP targets container port "game", but its containers have game/UDP
  hint: name the port in one of its containers: ports: [{name: game, containerPort: ..., protocol: TCP}]`},
		{"no named port at all", named + blue + ports(green, game), "",
			`a.yaml:10: Deployment "blue": Service port 7000/TCP targets container port "game", but its containers have no named port
  hint: name the port in one of its containers: ports: [{name: game, containerPort: ..., protocol: TCP}]`},
		{"port of a sidecar", named + ports(blue, game) + strings.Replace(green, "containers:", "initContainers: [{name: side, restartPolicy: Always, ports: ["+game+"]}]\n      containers:", 1), "", ""},
		{"port of a plain init container", named + ports(blue, game) + strings.Replace(green, "containers:", "initContainers: [{name: side, ports: ["+game+"]}]\n      containers:", 1), "",
			`a.yaml:21: Deployment "green": Service port 7000/TCP targets container port "game", but its containers have no named port
  hint: name the port in one of its containers: ports: [{name: game, containerPort: ..., protocol: TCP}]`},
		{"protocols differ", service() + ports(blue, "{containerPort: 7000}") + ports(green, "{containerPort: 7000, protocol: UDP}"), "",
			`a.yaml:21: Deployment "green": Service port 7000/TCP targets container port 7000, which it declares for UDP only; Deployment "blue" declares it for TCP
  hint: declare it in both: ports: [{containerPort: 7000, protocol: TCP}]`},
		{"both protocols", service() + ports(blue, "{containerPort: 7000}") + ports(green, "{containerPort: 7000, protocol: UDP}, {containerPort: 7000}"), "", ""},
		{"a port that only one side declares", service() + ports(blue, "{containerPort: 7000}") + green, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, checked(t, tt.text, tt.address))
		})
	}
}

func TestCheckLooksAtWhatServes(t *testing.T) {
	t.Parallel()
	text := service() + deployment("blue") + deployment("green")
	astray := live("blue", 3, 3)
	astray.Labels = map[string]string{"app": "lobby-old", "version": "blue"}
	astray.Object = readText(t, strings.ReplaceAll(deployment("blue"), "app: lobby", "app: lobby-old")).Objects[0]
	astray.Object.Place = manifest.Place{}
	require.Equal(t, `Deployment "blue" is not behind Service "lobby": its pods have labels app=lobby-old,version=blue, the selector wants app=lobby
  hint: give spec.template.metadata.labels all labels of the Service's selector`,
		checked(t, text, "", astray))
}

func TestServicePorts(t *testing.T) {
	t.Parallel()
	set := readText(t, `apiVersion: v1
kind: Service
metadata: {name: lobby}
spec:
  ports:
  - port: 80
  - {name: game, port: 7000, protocol: UDP, targetPort: state, appProtocol: kubernetes.io/ws}
  - {name: alt, port: 81, targetPort: 8080}
  - not a port
`)
	require.Equal(t, []manifest.ServicePort{
		{Number: 80, Protocol: "TCP", TargetPort: "80"},
		{Name: "game", Number: 7000, Protocol: "UDP", AppProtocol: "kubernetes.io/ws", TargetPort: "state"},
		{Name: "alt", Number: 81, Protocol: "TCP", TargetPort: "8080"},
	}, manifest.ServicePorts(set.Objects[0]))
}

package manifest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/manifest"
)

func other(kind, name string) string {
	return "---\napiVersion: v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\n"
}

func TestService(t *testing.T) {
	t.Parallel()
	inner := strings.ReplaceAll(strings.Replace(service(), "type: LoadBalancer", "type: ClusterIP", 1), "name: lobby", "name: inner")
	second := strings.ReplaceAll(service(), "name: lobby", "name: second")
	tests := []struct{ name, text, service, want, wrong string }{
		{"the only balancer", inner + service(), "", "lobby", ""},
		{"by name", service() + second, "second", "second", ""},
		{"by name, no balancer", service() + inner, "inner", "inner", ""},
		{"two balancers", service() + second, "", "", `2 Services of type LoadBalancer: "lobby" (a.yaml:2) and "second" (a.yaml:10): write one of them in input "service"`},
		{"unknown name", service() + second, "third", "", `no such Service in the manifests: "third"; they hold "lobby" (a.yaml:2) and "second" (a.yaml:10)`},
		{"no balancer", inner, "", "", `no such Service in the manifests: none is of type LoadBalancer; they hold "inner" (a.yaml:2); name one, of the manifests or live, in input "service"`},
		{"no Service", deployment("blue"), "", "", `no such Service in the manifests: none is of type LoadBalancer; they hold no Service at all; name one, of the manifests or live, in input "service"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := readText(t, tt.text).Service(tt.service)
			if tt.wrong != "" {
				require.EqualError(t, err, tt.wrong)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got.GetName())
		})
	}
	_, err := readText(t, deployment("blue")).Service("")
	require.ErrorIs(t, err, manifest.ErrNoService)
}

func TestBehind(t *testing.T) {
	t.Parallel()
	cron := "---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {name: sweep}\nspec: {jobTemplate: {spec: {template: {metadata: {labels: {app: sweep}}}}}}\n"
	aside := strings.ReplaceAll(deployment("aside"), "app: lobby", "app: aside")
	custom := "---\napiVersion: example.com/v1\nkind: Deployment\nmetadata: {name: not-ours}\n"
	selection := behind(t, custom+other("ConfigMap", "c")+deployment("green")+service()+cron+aside+other("PersistentVolumeClaim", "p")+
		"---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\n"+
		other("Secret", "s")+other("ServiceAccount", "a")+other("CustomResourceDefinition", "d")+other("Namespace", "games")+deployment("blue"))
	require.Equal(t, []string{"Deployment/green", "Deployment/blue"}, titles(selection.Deployments))
	require.Equal(t, []string{
		"Namespace/games", "CustomResourceDefinition/d", "ServiceAccount/a", "Secret/s", "ConfigMap/c", "Role/r",
		"PersistentVolumeClaim/p", "Service/lobby", "Deployment/not-ours",
	}, titles(selection.Others))
	require.Equal(t, []string{"CronJob/sweep", "Deployment/aside"}, titles(selection.Skipped))
}

func TestBehindProblems(t *testing.T) {
	t.Parallel()
	stateful := strings.Replace(deployment("blue"), "kind: Deployment", "kind: StatefulSet", 1)
	daemon := strings.NewReplacer("kind: Deployment", "kind: DaemonSet", "apps/v1", "extensions/v1beta1").Replace(deployment("green"))
	pod := "---\napiVersion: v1\nkind: Pod\nmetadata: {name: bare, labels: {app: lobby}}\n"
	set := readText(t, service()+stateful+daemon+pod)
	lobby, err := set.Service("")
	require.NoError(t, err)
	_, err = set.Behind(lobby)
	const hint = "\n  hint: give its pods other labels than app=lobby, or the Service a narrower selector"
	require.EqualError(t, err, `a.yaml:10: StatefulSet "blue" is behind Service "lobby": its pods take part of the flows, and only Deployments can be rolled out`+hint+`
a.yaml:21: DaemonSet "green" is behind Service "lobby": its pods take part of the flows, and only Deployments can be rolled out`+hint+`
a.yaml:32: Pod "bare" is behind Service "lobby": its pods take part of the flows, and only Deployments can be rolled out`+hint)

	set = readText(t, strings.Replace(service(), "selector: {app: lobby}", "selector: {}", 1))
	lobby, err = set.Service("")
	require.NoError(t, err)
	_, err = set.Behind(lobby)
	require.EqualError(t, err, `a.yaml:2: Service "lobby" has no selector: there are no pods to count behind it`)
}

func TestInNamespace(t *testing.T) {
	t.Parallel()
	in := func(text, namespace string) string {
		return strings.Replace(text, "metadata: {", "metadata: {namespace: "+namespace+", ", 1)
	}
	tests := []struct{ name, text, input, want, wrong string }{
		{"input", service() + deployment("blue"), "game", "game", ""},
		{"input and manifests agree", in(service(), "game") + deployment("blue"), "game", "game", ""},
		{"manifests", in(service(), "game") + deployment("blue"), "", "game", ""},
		{"fallback", service(), "", "fallback", ""},
		{"other objects elsewhere", service() + in(other("ConfigMap", "c"), "shared"), "", "fallback", ""},
		{"contradictions", in(service(), "game") + in(other("ConfigMap", "c"), "shared"), "live", "",
			`a.yaml:2: Service "lobby" is in namespace "game", but input "namespace" says "live"
  hint: take metadata.namespace out of the manifest, or leave the input out
a.yaml:10: ConfigMap "c" is in namespace "shared", but input "namespace" says "live"
  hint: take metadata.namespace out of the manifest, or leave the input out`},
		{"two namespaces", in(service(), "game") + in(deployment("blue"), "live"), "", "",
			`Services and Deployments are in different namespaces: "game" (a.yaml:2), "live" (a.yaml:10)
  hint: a rollout has one namespace: leave the others' manifests out`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			set, namespace, err := readText(t, tt.text).InNamespace(tt.input, "fallback")
			if tt.wrong != "" {
				require.EqualError(t, err, tt.wrong)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, namespace)
			require.Equal(t, tt.want, set.Objects[0].GetNamespace())
		})
	}
}

func TestInNamespaceLeavesClusterObjectsAndItsInputAlone(t *testing.T) {
	t.Parallel()
	before := readText(t, service()+other("Namespace", "game"))
	after, _, err := before.InNamespace("game", "")
	require.NoError(t, err)
	require.Equal(t, "game", after.Objects[0].GetNamespace())
	require.Empty(t, after.Objects[1].GetNamespace())
	require.Empty(t, before.Objects[0].GetNamespace())
}

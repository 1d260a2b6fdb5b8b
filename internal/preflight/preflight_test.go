package preflight_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/preflight"
)

func TestNothingIsWrong(t *testing.T) {
	t.Parallel()
	require.Empty(t, sound(t).Check())
	require.Equal(t, 4*time.Second, sound(t).PodStart())
	require.Zero(t, preflight.Facts{}.PodStart())
}

// TestRules has a row for everything that a rule can say: one thing is wrong, and
// exactly one finding names it.
func TestRules(t *testing.T) {
	t.Parallel()
	const e, w, n = preflight.Error, preflight.Warning, preflight.Notice
	for name, row := range map[string]struct {
		level preflight.Level
		says  string
		spoil func(*preflight.Facts)
	}{
		"service type": {e, `Service "lobby" is of type NodePort`, func(f *preflight.Facts) {
			*f = facts(t, replaced(serviceYAML, "LoadBalancer", "NodePort"), deploymentText("blue"), deploymentText("green"))
		}},
		"unready": {e, "publishNotReadyAddresses", func(f *preflight.Facts) {
			*f = facts(t, serviceYAML+"  publishNotReadyAddresses: true\n", deploymentText("blue"), deploymentText("green"))
		}},
		"sticky": {e, "sessionAffinity ClientIP", func(f *preflight.Facts) {
			*f = facts(t, serviceYAML+"  sessionAffinity: ClientIP\n", deploymentText("blue"), deploymentText("green"))
		}},
		"local": {w, "externalTrafficPolicy Local", func(f *preflight.Facts) {
			*f = facts(t, serviceYAML+"  externalTrafficPolicy: Local\n", deploymentText("blue"), deploymentText("green"))
		}},
		"service selector": {e, `change its selector from app=hall to app=lobby`, func(f *preflight.Facts) {
			f.Live.Spec.Selector = map[string]string{"app": "hall"}
		}},
		"target port": {e, `targetPort of port 7000/TCP from 7070 to 7000`, func(f *preflight.Facts) {
			f.Live.Spec.Ports[0].TargetPort.IntVal = 7070
		}},
		"reaches stable: service": {n, `Service "lobby" reaches stable now; rollback does not undo it: spec.ports changes`, func(f *preflight.Facts) {
			f.Changes = []preflight.Change{{Kind: "Service", Name: "lobby", Fields: []string{"spec.ports"}}, {Kind: "Service", Name: "hall", Fields: []string{"spec.ports"}}, {Kind: "ConfigMap", Name: "motd"}}
		}},
		"reaches stable: configuration": {n, `ConfigMap "motd" reaches stable now; rollback does not undo it: data.text, data.title changes`, func(f *preflight.Facts) {
			f.Changes = []preflight.Change{{Kind: "ConfigMap", Name: "motd", Fields: []string{"data.text", "data.title"}}, {Kind: "Secret", Name: "motd", Fields: []string{"data"}}}
		}},
		"old cluster": {e, "Kubernetes v1.22.17: 1.23 or newer is needed", func(f *preflight.Facts) { f.Version = "v1.22.17" }},
		"token expires": {e, "token expires in 10m0s, and the run may take 1h0m0s", func(f *preflight.Facts) {
			f.TokenExpires = f.Now.Add(10 * time.Minute)
		}},
		"token expired": {e, "token expired 1m0s ago", func(f *preflight.Facts) { f.TokenExpires = f.Now.Add(-time.Minute) }},
		"rights": {e, `lack rights in namespace "game": patch pods, delete leases`, func(f *preflight.Facts) {
			f.Denied = []string{"patch pods", "delete leases"}
			f.Trials = []preflight.Trial{{Message: `pods "blue-a" is forbidden`, Denied: true}}
		}},
		"rights in the whole cluster": {e, `lack rights in the whole cluster, for objects that the manifests hold: patch namespaces`, func(f *preflight.Facts) {
			f.DeniedCluster = []string{"patch namespaces"}
		}},
		"refused whatever the rights": {e, `pods "blue-a" is forbidden`, func(f *preflight.Facts) {
			f.Trials = []preflight.Trial{{Message: `pods "blue-a" is forbidden`, Denied: true}}
		}},
		"unread": {w, "not checked, because the credentials may not list them: networkpolicies", func(f *preflight.Facts) {
			f.Unread = []string{"networkpolicies"}
		}},
		"refused on trial": {e, "image has no digest", func(f *preflight.Facts) {
			f.Trials = []preflight.Trial{{Message: "applying", Hint: "image has no digest"}}
		}},
		"excused on trial": {n, `not tried before the rollout, because it is early: Service "lobby", Secret "key"`, func(f *preflight.Facts) {
			f.Trials = []preflight.Trial{{Object: `Service "lobby"`, Excuse: "it is early"}, {Object: `Secret "key"`, Excuse: "it is early"}}
		}},
		"taken field": {n, "takes a field over: spec.replicas", func(f *preflight.Facts) { f.Taken = []string{"spec.replicas"} }},
		"another rollout": {e, `Deployment "blue" is part of a rollout of Service "hall": lease "l4-canary-hall" is held by job 7`, func(f *preflight.Facts) {
			f.Marks = []preflight.Mark{{Deployment: "blue", Service: "hall", Lease: "l4-canary-hall", Holder: "job 7"}}
		}},
		"another unfinished rollout": {e, "unfinished\n  hint: wait until it has ended, or: l4-canary rollback --namespace game --service hall", func(f *preflight.Facts) {
			f.Marks = []preflight.Mark{{Deployment: "blue", Service: "hall", Lease: "l4-canary-hall"}}
		}},
		"one family": {e, `Service "lobby" has family IPv6, and these pods have no address of it: "blue-5d4f-a"`, func(f *preflight.Facts) {
			f.Live.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
			f.Pods[0].Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.7"}}
		}},
		"a family that the manifests ask for": {e, `has family IPv4`, func(f *preflight.Facts) {
			*f = facts(t, serviceYAML+"  ipFamilies: [IPv4]\n", deploymentText("blue"), deploymentText("green"))
			f.Pods[0].Status.PodIPs = []corev1.PodIP{{IP: "fd00::7"}}
		}},
		"pod of a DaemonSet": {e, `pod "relay-x" of DaemonSet relay is behind Service "lobby" too`, func(f *preflight.Facts) {
			f.Pods = append(f.Pods, pod("relay-x", f.Now, owned("DaemonSet", "relay")...), pod("relay-y", f.Now, owned("DaemonSet", "relay")...))
		}},
		"pod of nobody": {e, `pod "debug" of no controller`, func(f *preflight.Facts) { f.Pods = append(f.Pods, pod("debug", f.Now)) }},
		"pod of a third Deployment": {e, `pod "red-1" of Deployment red`, func(f *preflight.Facts) {
			f.ReplicaSets = append(f.ReplicaSets, appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "red-8c", OwnerReferences: owned("Deployment", "red")}})
			f.Pods = append(f.Pods, pod("red-1", f.Now, owned("ReplicaSet", "red-8c")...))
		}},
		"immutable selector": {e, `Deployment "green": the manifests change its selector from tier=game to run=green`, func(f *preflight.Facts) {
			green := live(t, deploymentText("green", "matchLabels: {run: NAME}", "matchLabels: {tier: game}"))
			f.Deployments = append(f.Deployments, green)
		}},
		"paused":         {e, `Deployment "blue" is paused`, func(f *preflight.Facts) { f.Deployments[0].Spec.Paused = true }},
		"unseen change":  {e, "its controller has not seen its latest change", func(f *preflight.Facts) { f.Deployments[0].Generation = 3 }},
		"in mid-rollout": {e, "2 of 3 pods have its template", func(f *preflight.Facts) { f.Deployments[0].Status.UpdatedReplicas = 2 }},
		"old pods":       {e, "1 old pods are still there", func(f *preflight.Facts) { f.Deployments[0].Status.Replicas = 4 }},
		"not ready": {e, `Deployment "blue" has 2 of 3 pods ready, and the rollout promises at least 3`, func(f *preflight.Facts) {
			f.Deployments[0].Status.ReadyReplicas = 2
		}},
		"autoscaler":               {e, `HorizontalPodAutoscaler blue scales Deployment "blue"`, func(f *preflight.Facts) { f.Scalers = scaler(t, "blue") }},
		"autoscaler of the canary": {e, `HorizontalPodAutoscaler green scales Deployment "green"`, func(f *preflight.Facts) { f.Scalers = scaler(t, "green") }},
		"keda": {e, `KEDA's ScaledObject queue scales Deployment "blue"`, func(f *preflight.Facts) {
			f.Scalers = scaler(t, "blue")
			f.Scalers[0].OwnerReferences = owned("ScaledObject", "queue")
		}},
		"other size": {w, `the manifests say 5 replicas and 3 serve; the rollout keeps 3`, func(f *preflight.Facts) {
			*f = facts(t, serviceYAML, deploymentText("blue", "replicas: 3", "replicas: 5"), deploymentText("green"))
		}},
		"flux": {w, "managed by Flux", func(f *preflight.Facts) {
			f.Deployments[0].Labels = map[string]string{"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux"}
		}},
		"argo cd": {w, "managed by Argo CD", func(f *preflight.Facts) {
			f.Deployments[0].Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "lobby:apps/Deployment:game/blue"}
		}},
		"argo cd, single": {w, "spec.ignoreDifferences: [{group: apps, kind: Deployment, name: blue, jsonPointers: [/spec/replicas, /spec/template]}]", func(f *preflight.Facts) {
			f.Deployments[0].Labels = map[string]string{"argocd.argoproj.io/instance": "lobby"}
			f.Roles.Mode = manifest.Single
		}},
		"flux, a chart": {w, "in the HelmRelease: spec.driftDetection.ignore: [{paths: [/spec/replicas], target: {kind: Deployment, name: blue}}]", func(f *preflight.Facts) {
			f.Deployments[0].Labels = map[string]string{"helm.toolkit.fluxcd.io/name": "lobby"}
		}},
		"budget on one side": {w, `PodDisruptionBudget "keep" guards the pods of "blue" and not those of "green"`, func(f *preflight.Facts) {
			f.Budgets = []policyv1.PodDisruptionBudget{*read(t, &policyv1.PodDisruptionBudget{}, `{metadata: {name: keep}, spec: {selector: {matchLabels: {run: blue}}}}`)}
		}},
		"policy by the park label": {w, `NetworkPolicy "players" selects pods by the label "app"`, func(f *preflight.Facts) {
			f.Policies = []networkingv1.NetworkPolicy{*read(t, &networkingv1.NetworkPolicy{}, `{metadata: {name: players}, spec: {podSelector: {matchLabels: {app: lobby}}}}`)}
		}},
		"peers by the park label": {w, `NetworkPolicy "database"`, func(f *preflight.Facts) {
			f.Policies = []networkingv1.NetworkPolicy{*read(t, &networkingv1.NetworkPolicy{},
				`{metadata: {name: database}, spec: {podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: Exists}]}}]}]}}`)}
		}},
		"short grace period": {w, `Deployment "blue" has no preStop hook, Deployment "green" has a grace period of 5 s`, func(f *preflight.Facts) {
			*f = facts(t, serviceYAML, deploymentText("blue"), deploymentText("green", "      containers:", "      terminationGracePeriodSeconds: 5\n      containers:"))
			f.Parks = false
		}},
		"bake without surge": {e, "max-surge is 0", func(f *preflight.Facts) { f.Bake, f.Warmable, f.MaxSurge = time.Minute, true, 0 }},
		"bake without park":  {e, `the pods of Deployment "blue" cannot be parked and come back`, func(f *preflight.Facts) { f.Bake = time.Minute }},
		"long":               {w, "likely to take 50m0s, and input \"timeout\" is 1h0m0s", func(f *preflight.Facts) { f.Estimate = 50 * time.Minute }},
		"quota of pods": {e, `ResourceQuota "team" has room for 1 more pods (pods: 3 of 4 used, 1 a pod), and the rollout needs 2: 1 to surge, 1 while they terminate`,
			func(f *preflight.Facts) { f.Quotas = quota(t, `{hard: {pods: 4}, used: {pods: 3}}`) }},
		"quota of pods, and one for the prober": {e, `ResourceQuota "team" has room for 1 more pods beside the prober's (pods: 2 of 4 used, 1 a pod), and the rollout needs 2`,
			func(f *preflight.Facts) {
				f.Quotas, f.Prober = quota(t, `{hard: {pods: 4}, used: {pods: 2}}`), &corev1.PodSpec{}
			}},
		"quota of processors": {e, `room for 1 more pods (requests.cpu: 350m of 500m used, 100m a pod)`, func(f *preflight.Facts) {
			f.Quotas = quota(t, `{hard: {requests.cpu: 500m}, used: {requests.cpu: 350m}}`)
		}},
		"quota of memory": {e, `room for 0 more pods (limits.memory: 200Mi of 192Mi used, 64Mi a pod)`, func(f *preflight.Facts) {
			f.Quotas = quota(t, `{hard: {limits.memory: 192Mi}, used: {limits.memory: 200Mi}}`)
		}},
		"quota of what nobody says": {e, `ResourceQuota "team" counts limits.cpu, and container "lobby" of Deployment "green" does not say how much it takes`, func(f *preflight.Facts) {
			f.Quotas = quota(t, `{hard: {limits.cpu: 8}, used: {limits.cpu: 0}}`)
		}},
		"limit range of pods": {e, `the containers of a pod ask together for 64Mi of memory`, func(f *preflight.Facts) {
			f.Limits = limitRange(t, `{max: {memory: 32Mi}}`)
			f.Limits[0].Spec.Limits[0].Type = corev1.LimitTypePod
		}},
		"limit range": {e, `container "lobby" asks for 64Mi of memory, and LimitRange "sizes" allows at most 32Mi`, func(f *preflight.Facts) {
			f.Limits = limitRange(t, `{max: {memory: 32Mi}}`)
		}},
		"limit range, least": {e, `container "lobby" asks for 100m of cpu, and LimitRange "sizes" wants at least 1`, func(f *preflight.Facts) {
			f.Limits = limitRange(t, `{min: {cpu: 1}}`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := sound(t)
			row.spoil(&f)
			findings := f.Check()
			require.Len(t, findings, 1, findings.Error())
			require.Equal(t, row.level, findings[0].Level)
			require.Contains(t, findings[0].String(), row.says)
			require.Equal(t, findings, findings.Of(row.level))
		})
	}
}

// TestNoFinding has what looks wrong and is not.
func TestNoFinding(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*preflight.Facts){
		"a vendor's version": func(f *preflight.Facts) { f.Version = "v1.33+" },
		"no version":         func(f *preflight.Facts) { f.Version = "" },
		"a pod that leaves": func(f *preflight.Facts) {
			leaving := pod("debug", f.Now)
			leaving.DeletionTimestamp = &metav1.Time{Time: f.Now}
			ended := pod("job", f.Now)
			ended.Status.Phase = corev1.PodSucceeded
			f.Pods = append(f.Pods, leaving, ended)
		},
		"somebody else's autoscaler": func(f *preflight.Facts) { f.Scalers = scaler(t, "hall") },
		"a token for long":           func(f *preflight.Facts) { f.TokenExpires = f.Now.Add(2 * time.Hour) },
		"a budget for both": func(f *preflight.Facts) {
			f.Budgets = []policyv1.PodDisruptionBudget{*read(t, &policyv1.PodDisruptionBudget{}, `{spec: {selector: {matchLabels: {app: lobby}}}}`)}
		},
		"a policy for all": func(f *preflight.Facts) {
			f.Policies = []networkingv1.NetworkPolicy{*read(t, &networkingv1.NetworkPolicy{}, `{spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}}`)}
		},
		"room enough": func(f *preflight.Facts) {
			f.Quotas = quota(t, `{hard: {pods: 6, requests.cpu: 1, services: 2, requests.storage: 1Gi}, used: {pods: 3, requests.cpu: 300m, services: 2}}`)
		},
		"a quota for some": func(f *preflight.Facts) {
			f.Quotas = quota(t, `{hard: {pods: 3}, used: {pods: 3}}`)
			f.Quotas[0].Spec.Scopes = []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort}
		},
		"a quota with defaults": func(f *preflight.Facts) {
			f.Quotas = quota(t, `{hard: {limits.cpu: 8}, used: {limits.cpu: 0}}`)
			f.Limits = limitRange(t, `{default: {cpu: 1}}`)
		},
		"both families": func(f *preflight.Facts) {
			f.Live.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
			f.Pods[0].Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.7"}, {IP: "fd00::7"}}
		},
		"bake": func(f *preflight.Facts) { f.Bake, f.Warmable = time.Minute, true },
		"a limit that fits": func(f *preflight.Facts) {
			f.Limits = limitRange(t, `{max: {memory: 64Mi}, min: {cpu: 100m}, default: {cpu: 1}}`)
		},
		"a preStop hook": func(f *preflight.Facts) {
			hook := []string{"          ports:", "          lifecycle: {preStop: {sleep: {seconds: 30}}}\n          ports:", "      containers:", "      terminationGracePeriodSeconds: 45\n      containers:"}
			text := deploymentText("blue", hook...)
			*f = facts(t, serviceYAML, text, deploymentText("green", hook...))
			object := parse(t, text).Objects[0]
			f.Roles.Stable.Live.Object = object
			f.Parks = false
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := sound(t)
			change(&f)
			require.Empty(t, f.Check())
		})
	}
}

// TestResuming: what the rollout did itself is no finding, what would stop it is.
func TestResuming(t *testing.T) {
	t.Parallel()
	f := sound(t)
	f.Resuming = true
	f.Deployments[0].Status = appsv1.DeploymentStatus{}
	f.Quotas = quota(t, `{hard: {pods: 4}, used: {pods: 4}}`)
	require.Empty(t, f.Check())
	f.Denied = []string{"patch pods"}
	require.Len(t, f.Check(), 1)
}

// TestHandingOver: while both Deployments are gone, their ReplicaSets have none, and still
// their pods are the rollout's.
func TestHandingOver(t *testing.T) {
	t.Parallel()
	f := sound(t)
	f.Resuming = true
	for i := range f.ReplicaSets {
		f.ReplicaSets[i].OwnerReferences = nil
	}
	findings := f.Check()
	require.Len(t, findings, 1)
	require.Contains(t, findings[0].Message, "of ReplicaSet blue-5d4f is behind Service \"lobby\" too")
	f.HandingOver = true
	require.Empty(t, f.Check())
}

// TestAllAtOnce: every rule runs, whatever the others found, and what cannot be undone
// comes before the rest.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	f := sound(t)
	f.Version, f.Denied = "v1.20.0", []string{"patch pods"}
	f.Deployments[0].Spec.Paused = true
	f.Scalers = scaler(t, "blue")
	f.Changes = []preflight.Change{{Kind: "Service", Name: "lobby", Fields: []string{"spec.ports"}}}
	findings := f.Check()
	require.Len(t, findings, 5)
	require.Equal(t, preflight.Notice, findings[0].Level)
	require.Contains(t, findings[0].Message, "reaches stable now")
	require.Len(t, findings.Of(preflight.Error), 4)
	require.Contains(t, findings.Error(), "is paused: its pods would not follow its template\n  hint: kubectl -n game rollout resume deployment/blue\n")
}

// TestBootstrap: the first version has nothing beside it.
func TestBootstrap(t *testing.T) {
	t.Parallel()
	set := parse(t, serviceYAML, deploymentText("blue"))
	selection, err := set.Behind(set.Objects[0])
	require.NoError(t, err)
	roles, err := manifest.AssignRoles(selection, nil, "", "")
	require.NoError(t, err)
	f := preflight.Facts{Namespace: "game", Version: "v1.34.4", Service: set.Objects[0], Roles: roles, Replicas: 3, Timeout: time.Hour}
	f.Quotas = quota(t, `{hard: {pods: 3}, used: {pods: 3}}`)
	require.Empty(t, f.Check(), "the API server judges the first pods")
	f.Limits = limitRange(t, `{max: {memory: 1Mi}}`)
	require.Len(t, f.Check(), 1)
}

func replaced(text, old, with string) string { return strings.ReplaceAll(text, old, with) }

func scaler(t *testing.T, name string) []autoscalingv2.HorizontalPodAutoscaler {
	t.Helper()
	return []autoscalingv2.HorizontalPodAutoscaler{*read(t, &autoscalingv2.HorizontalPodAutoscaler{},
		`{metadata: {name: `+name+`}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: `+name+`}}}`)}
}

func quota(t *testing.T, status string) []corev1.ResourceQuota {
	t.Helper()
	return []corev1.ResourceQuota{*read(t, &corev1.ResourceQuota{}, `{metadata: {name: team}, status: `+status+`}`)}
}

func limitRange(t *testing.T, item string) []corev1.LimitRange {
	t.Helper()
	limits := *read(t, &corev1.LimitRange{}, `{metadata: {name: sizes}, spec: {limits: [`+item+`]}}`)
	limits.Spec.Limits[0].Type = corev1.LimitTypeContainer
	return []corev1.LimitRange{limits}
}

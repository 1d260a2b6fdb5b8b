package kube

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/internal/rollout"
)

// FuzzConnect: a kubeconfig as text, or as base64 of it, is a cluster to talk to or an error
// that names the input; what it takes for a secret can be starred out of a log.
func FuzzConnect(f *testing.F) {
	blue := config("blue", "game")
	for _, seed := range []string{
		blue, strings.ReplaceAll(blue, "\n", "\r\n"), byteOrderMark + blue, strings.Replace(blue, "token: THE-SECRET", "tokenFile: /dev/zero", 1),
		strings.Replace(blue, "token: THE-SECRET", "exec: {command: no-such-plugin, apiVersion: client.authentication.k8s.io/v1, installHint: \"\\n::x::\"}", 1),
		strings.Replace(blue, "token: THE-SECRET", "client-key-data: TUFSS0VE, client-certificate-data: TUFSS0VE", 1),
		strings.Replace(blue, "THE-SECRET", "e30.eyJleHAiOjF9.x", 1), strings.Replace(blue, "https://blue", "::error::", 1),
		"apiVersion: v1\nclusters: &a [*a]", "apiVersion: v1\ncontexts: 1", "apiVersion: {", "\n", "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a}]\n",
		"apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a}}]\nclusters: [{name: a, cluster: {server: '', proxy-url: ':'}}]\n",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, text string, packed bool) {
		login := Login{Kubeconfig: text}
		if packed {
			login.Kubeconfig = base64.StdEncoding.EncodeToString([]byte(text))
		}
		if _, isText := inline(login.Kubeconfig); !isText || login.Kubeconfig == inCluster {
			return // it names a file
		}
		found, err := Connect(login)
		if err != nil {
			require.Contains(t, err.Error(), "kubeconfig")
			return
		}
		require.Equal(t, "the kubeconfig input", found.Source)
		require.NotEmpty(t, found.Namespace)
		for _, secret := range found.Secrets {
			require.GreaterOrEqual(t, len(secret), leastSecret)
			require.Equal(t, strings.TrimSpace(secret), secret)
		}
		found.Loopback()
		_, _ = NewClient(found.Config, "fuzz")
	})
}

// FuzzLeaseRecord: whatever stands in the annotations of a Lease, a run knows whether somebody
// holds it, and takes what it cannot read for no memory but for an error.
func FuzzLeaseRecord(f *testing.F) {
	for _, state := range []string{
		`{"schemaVersion":1,"mode":"pair","stable":"old","canary":"new","replicas":10,"phase":"stages","objects":{}}`, `{"schemaVersion":2}`, "", "null", "[]",
		`{"schemaVersion":1,"lessons":{"80/TCP":{"Stable":[{}]}},"phase":"promoted","undoing":true}`, `{"schemaVersion":1,"replicas":-1e9}`,
	} {
		f.Add(`{"run":"7","job":"deploy","url":"https://a.example/\n::error::x"}`, state, "run 7")
		f.Add(`{"number":1e400}`, state, "")
	}
	f.Fuzz(func(t *testing.T, holder, state, identity string) {
		object := coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
			Name: LeaseName("shop"), Annotations: map[string]string{holderAnnotation: holder, stateAnnotation: state},
		}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &identity}}
		record := recordOf(&object)
		require.Equal(t, identity != "", record.Held)
		require.Equal(t, state, string(record.State))
		require.NotEmpty(t, record.Holder.String())
		memory, err := rollout.ReadMemory(record.State)
		facts := lobbyFacts(t)
		facts.Roles.Stable.Name, facts.Roles.Canary.Name = "old", "new"
		found := marks([]coordinationv1.Lease{object}, &facts)
		if err != nil {
			require.ErrorContains(t, err, "reading the state of the rollout")
			require.Empty(t, found)
			return
		}
		again, err := json.Marshal(memory)
		require.NoError(t, err)
		same, err := rollout.ReadMemory(again)
		require.NoError(t, err)
		require.Equal(t, memory.Unfinished(), same.Unfinished())
		for _, mark := range found {
			require.Equal(t, "shop", mark.Service)
			require.NotEmpty(t, mark.Deployment)
		}
		var target Target
		if err = target.Recall(memory.Objects); err == nil {
			_, err = target.Objects()
			require.NoError(t, err)
		}
	})
}

// FuzzAnnotations: what others wrote into the annotations of a pod and of an autoscaler is
// understood whole or not at all, and a pause that ends leaves no trace.
func FuzzAnnotations(f *testing.F) {
	for _, seed := range []string{
		`{"deployment":"old","label":"app","value":"lobby"}`, `{"metadata":{"annotations":{"a":null}},"spec":{"minReplicas":1,"maxReplicas":3,"behavior":null}}`,
		"", "null", "[]", `{"deployment":5}`, `{"spec":{"maxReplicas":1e10}}`, `{"spec":{},"metadata":{"annotations":null,"resourceVersion":"7"}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{ParkedAnnotation: text}}}
		require.Equal(t, parkingOf(pod).Deployment != "", isParked(pod))
		if !json.Valid([]byte(text)) {
			require.False(t, isParked(pod))
		}
		scaler := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{
			Name: "web", ResourceVersion: "3", Annotations: map[string]string{PausedAnnotation: text},
		}}
		patch, err := resuming(scaler)
		if err != nil {
			require.ErrorContains(t, err, `of horizontalpodautoscaler "web"`)
			return
		}
		data, err := json.Marshal(patch)
		require.NoError(t, err)
		var sent struct {
			Metadata struct {
				Annotations     map[string]any
				ResourceVersion string
			}
		}
		require.NoError(t, json.Unmarshal(data, &sent))
		require.Equal(t, map[string]any{PausedAnnotation: nil}, sent.Metadata.Annotations)
		require.Equal(t, "3", sent.Metadata.ResourceVersion)
		_, err = pausing(scaler, 10)
		require.NoError(t, err)
	})
}

// FuzzExpiry: the end of a token is a moment, or nothing.
func FuzzExpiry(f *testing.F) {
	for _, claims := range []string{`{"exp":1700000000}`, `{"exp":-1}`, `{"exp":9223372036854775807}`, `{"exp":1.5}`, `{"exp":"1"}`, "", "[]"} {
		f.Add(claims, "")
	}
	f.Add("", "a.b.c")
	f.Fuzz(func(t *testing.T, claims, token string) {
		expiry(token)
		ends := expiry("e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".x")
		if !ends.IsZero() {
			require.False(t, ends.Equal(time.Unix(0, 0)))
		}
	})
}

package manifest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/org/l4-canary/internal/manifest"
)

func TestAssignRoles(t *testing.T) {
	t.Parallel()
	pair := service() + deployment("blue") + deployment("green")
	single := service() + deployment("green")
	stranger := manifest.Live{Name: "stranger", Labels: map[string]string{"app": "other"}, Replicas: 5, Ready: 5}
	tests := []struct {
		name           string
		text           string
		live           []manifest.Live
		stable, canary string // inputs
		want           string // stable > canary
		fresh          bool
		notice         string
	}{
		{"the one that serves is stable", pair, []manifest.Live{live("blue", 3, 3)}, "", "", "blue > green", false, ""},
		{"whatever the names", pair, []manifest.Live{live("green", 3, 3)}, "", "", "green > blue", false, ""},
		{"the other is live at zero", pair, []manifest.Live{live("blue", 0, 0), live("green", 3, 3)}, "", "", "green > blue", false, ""},
		{"the other has no ready pod", pair, []manifest.Live{live("blue", 3, 0), live("green", 3, 1)}, "", "", "green > blue", false, ""},
		{"roles alternate against the inputs", pair, []manifest.Live{live("green", 3, 3)}, "blue", "green", "green > blue", false,
			`Deployment "green" serves and "blue" does not, so "green" is stable; the inputs stable and canary decide only when neither or both serve`},
		{"inputs that agree need no word", pair, []manifest.Live{live("green", 3, 3)}, "green", "blue", "green > blue", false, ""},
		{"both serve, stable named", pair, []manifest.Live{live("blue", 3, 3), live("green", 1, 1)}, "green", "", "green > blue", false, ""},
		{"both serve, canary named", pair, []manifest.Live{live("blue", 3, 3), live("green", 1, 1)}, "", "green", "blue > green", false, ""},
		{"neither live, stable named", pair, nil, "blue", "", "blue > green", true, ""},
		{"neither live, canary named", pair, nil, "", "blue", "green > blue", true, ""},
		{"neither serves, both live", pair, []manifest.Live{live("blue", 0, 0), live("green", 3, 0)}, "green", "blue", "green > blue", true, ""},
		{"stable only in the cluster", single, []manifest.Live{live("blue", 3, 3)}, "", "", "blue > green", false, ""},
		{"not behind the Service", pair, []manifest.Live{live("blue", 3, 3), stranger}, "", "", "blue > green", false, ""},
		{"an old release at zero", single, []manifest.Live{live("blue", 3, 3), live("amber", 0, 0)}, "", "", "blue > green", false,
			`Deployment "amber" is behind the Service too, with 0 replicas and in no manifest: it takes no part`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			roles, err := manifest.AssignRoles(behind(t, tt.text), tt.live, tt.stable, tt.canary)
			require.NoError(t, err)
			require.Equal(t, tt.want, roles.Stable.Name+" > "+roles.Canary.Name)
			require.Equal(t, tt.fresh, roles.Fresh)
			require.Equal(t, tt.notice, strings.Join(roles.Notices, "\n"))
			require.NotNil(t, roles.Canary.Manifest)
			require.Equal(t, roles.Canary.Name, roles.Canary.Manifest.GetName())
			require.Equal(t, !tt.fresh, roles.Stable.Serves())
		})
	}
}

func TestAssignRolesProblems(t *testing.T) {
	t.Parallel()
	pair := service() + deployment("blue") + deployment("green")
	aside := strings.ReplaceAll(deployment("green"), "app: lobby", "app: loby")
	tests := []struct {
		name           string
		text           string
		live           []manifest.Live
		stable, canary string
		want           string
	}{
		{"neither live, no name", pair, nil, "", "", `a.yaml:2: which of the Deployments "blue" and "green" is stable? neither serves, so it cannot be seen
  hint: write the old version's name in input "stable", such as stable: blue`},
		{"both serve, no name", pair, []manifest.Live{live("blue", 1, 1), live("green", 1, 1)}, "", "", `a.yaml:2: which of the Deployments "blue" and "green" is stable? both serve, so it cannot be seen
  hint: write the old version's name in input "stable", such as stable: blue`},
		{"unknown names", pair, nil, "bleu", "gren", `input "stable": Deployment "bleu" is not behind Service "lobby"; candidates are "blue" and "green"
input "canary": Deployment "gren" is not behind Service "lobby"; candidates are "blue" and "green"`},
		{"none", service(), nil, "", "", `a.yaml:2: Service "lobby" selects no Deployment (selector app=lobby)`},
		{"only one, and another is named", service() + deployment("blue"), []manifest.Live{live("blue", 1, 1)}, "green", "", `a.yaml:2: Service "lobby" selects Deployment "blue", and not "green"`},
		{"a copy's name is taken", service() + deployment("blue"), []manifest.Live{live("blue", 1, 1), stranger("blue-canary")}, "", "",
			`a.yaml:10: the new version of Deployment "blue" would run as "blue-canary", but there is a Deployment of that name that is none of ours
  hint: rename or delete it`},
		{"one misses the selector", service() + deployment("blue") + aside, nil, "blue", "", `a.yaml:2: Service "lobby" selects only Deployment "blue": a canary needs the old version's Deployment and the new one's
  hint: add the other version's Deployment to the manifests
a.yaml:21: Deployment "green" is not behind Service "lobby": its pod template has labels app=loby,version=green, the selector wants app=lobby`},
		{"three", pair, []manifest.Live{live("amber", 2, 2)}, "", "", `a.yaml:2: Service "lobby" selects 3 Deployments: "amber", "blue" and "green"; a canary is two
  hint: scale those that are not part of this rollout to 0 and leave them out of the manifests`},
		{"canary in no manifest", service() + deployment("blue"), []manifest.Live{live("blue", 2, 2), live("green", 2, 0)}, "", "", `Deployment "green" would be the canary, but it is in no manifest
  hint: add its manifest, or name the Deployments the other way round in the inputs stable and canary`},
		{"stable in no manifest", service() + deployment("green"), []manifest.Live{live("blue", 2, 0)}, "blue", "", `Deployment "blue" would be stable, but it does not serve and is in no manifest`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := manifest.AssignRoles(behind(t, tt.text), tt.live, tt.stable, tt.canary)
			require.EqualError(t, err, tt.want)
		})
	}
}

func stranger(name string) manifest.Live {
	return manifest.Live{Name: name, Labels: map[string]string{"app": "other"}, Replicas: 1, Ready: 1}
}

func TestOneDeployment(t *testing.T) {
	t.Parallel()
	one := service() + deployment("lobby")
	copied := manifest.Live{Name: "lobby-canary", Labels: map[string]string{"app": "lobby"}, Replicas: 2, Ready: 2, Object: manifest.Object{
		Unstructured: &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"labels": map[string]any{manifest.ReleaseLabel: "abc"}}}},
	}}
	tests := []struct {
		name  string
		live  []manifest.Live
		mode  manifest.Mode
		fresh bool
		copy  bool // the copy is live
	}{
		{"nothing is live", nil, manifest.Bootstrap, true, false},
		{"it is live and does not serve", []manifest.Live{live("lobby", 3, 0)}, manifest.Bootstrap, true, false},
		{"it serves", []manifest.Live{live("lobby", 3, 3)}, manifest.Single, false, false},
		{"it serves beside its copy", []manifest.Live{live("lobby", 3, 3), copied}, manifest.Single, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			roles, err := manifest.AssignRoles(behind(t, one), tt.live, "", "")
			require.NoError(t, err)
			require.Equal(t, tt.mode, roles.Mode)
			require.Equal(t, tt.fresh, roles.Fresh)
			require.Equal(t, "lobby", roles.Stable.Name)
			require.Equal(t, tt.copy, roles.Canary.Live != nil)
			require.Empty(t, manifest.Check(behind(t, one).Service, roles, ""))
		})
	}
}

// TestStamp: the copy is the manifest under another name, with a selector of the
// release alone; what it is made from stays as it was.
func TestStamp(t *testing.T) {
	t.Parallel()
	selection := behind(t, service()+deployment("lobby"))
	roles, err := manifest.AssignRoles(selection, []manifest.Live{live("lobby", 3, 3)}, "", "")
	require.NoError(t, err)
	require.Contains(t, roles.Notices[0], "harmless")
	roles.Stamp("0123456789abcdef0123456789abcdef", "7")
	made := roles.Canary.Manifest
	require.Equal(t, "lobby-canary", made.GetName())
	require.Equal(t, map[string]any{"matchLabels": map[string]any{manifest.ReleaseLabel: "0123456789abcdef-7"}}, made.Object["spec"].(map[string]any)["selector"])
	require.Equal(t, map[string]string{"app": "lobby", "version": "lobby", manifest.ReleaseLabel: "0123456789abcdef-7"}, manifest.TemplateLabels(*made))
	require.Equal(t, "0123456789abcdef-7", made.GetLabels()[manifest.ReleaseLabel])
	require.Equal(t, "lobby", selection.Deployments[0].GetName())
	require.NotContains(t, manifest.TemplateLabels(selection.Deployments[0]), manifest.ReleaseLabel)
	require.True(t, manifest.SameTemplate(*made, selection.Deployments[0]), "the release is no part of the version")
	require.Empty(t, manifest.Check(selection.Service, roles, ""))
	label, releases := manifest.ParkLabel(selection.Service, *made)
	require.Equal(t, "app", label)
	require.False(t, releases, "its pods can be parked")
}

func TestFloating(t *testing.T) {
	t.Parallel()
	for image, floats := range map[string]bool{
		"nginx": true, "nginx:latest": true, "nginx:1.27": false, "registry.example:5000/nginx": true,
		"registry.example:5000/nginx:1": false, "nginx@sha256:abc": false,
	} {
		require.Equal(t, floats, manifest.Floating(image), image)
	}
}

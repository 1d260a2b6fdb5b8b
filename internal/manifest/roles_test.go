package manifest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
		{"only one", service() + deployment("blue"), []manifest.Live{live("blue", 1, 1)}, "", "", `a.yaml:2: Service "lobby" selects only Deployment "blue": a canary needs the old version's Deployment and the new one's
  hint: add the other version's Deployment to the manifests`},
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

package manifest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/manifest"
)

const twoContainers = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: lobby}
spec:
  selector: {matchLabels: {app: lobby}}
  template:
    metadata: {labels: {app: lobby}}
    spec:
      initContainers: [{name: prepare, image: "ghcr.io/acme/tools:1"}]
      containers:
        - {name: lobby, image: "ghcr.io/acme/lobby:1.0@sha256:7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc"}
        - {name: proxy, image: nginx}
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec:
  template:
    spec: {containers: [{name: migrate, image: "registry.example:5000/acme/lobby"}]}
`

func TestSubstitute(t *testing.T) {
	t.Parallel()
	const (
		tools = "ghcr.io/acme/tools:1"
		lobby = "ghcr.io/acme/lobby:1.0@sha256:7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc"
		job   = "registry.example:5000/acme/lobby"
	)
	for name, row := range map[string]struct {
		lines []string
		want  []string // prepare, lobby, proxy; then the job's
		says  string
	}{
		"nothing":                 {nil, []string{tools, lobby, "nginx", job}, ""},
		"an image":                {[]string{"ghcr.io/acme/lobby:1.1"}, []string{tools, "ghcr.io/acme/lobby:1.1", "nginx", job}, ""},
		"by the short name":       {[]string{"docker.io/library/nginx:1.29"}, []string{tools, lobby, "docker.io/library/nginx:1.29", job}, ""},
		"from a short name":       {[]string{"nginx=mirror.example/nginx:1.29"}, []string{tools, lobby, "mirror.example/nginx:1.29", job}, ""},
		"by name":                 {[]string{"ghcr.io/acme/tools=busybox"}, []string{"busybox", lobby, "nginx", job}, ""},
		"by container":            {[]string{"lobby/proxy=envoy:1", "lobby/prepare = tools:2"}, []string{"tools:2", lobby, "envoy:1", job}, ""},
		"a port and a digest":     {[]string{"registry.example:5000/acme/lobby@sha256:7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc"}, []string{tools, lobby, "nginx", "registry.example:5000/acme/lobby@sha256:7173b809ca12ec5dee4506cd86be934c4596dd234ee82c0662eac04a8c2c71dc"}, ""},
		"the first line decides":  {[]string{"lobby/lobby=a:1", "ghcr.io/acme/lobby=b:1", "migrate/migrate=c:1"}, nil, `"ghcr.io/acme/lobby=b:1" fits no container`},
		"nothing fits":            {[]string{"ghcr.io/acme/hall:1"}, nil, `"ghcr.io/acme/hall:1" fits no container of the manifests; they have lobby/prepare=ghcr.io/acme/tools:1, lobby/lobby=`},
		"another registry's name": {[]string{"acme/lobby:1"}, nil, "fits no container"},
		"no image":                {[]string{"Lobby:1", "lobby/proxy=a b", "=x"}, nil, `input "images": "Lobby:1" is no image`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, _, err := manifest.Read([]string{"-"}, nil, strings.NewReader(twoContainers))
			require.NoError(t, err)
			err = set.Substitute(row.lines)
			if row.says != "" {
				require.ErrorContains(t, err, row.says)
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.want, append(manifest.Images(set.Objects[0]), manifest.Images(set.Objects[1])...))
		})
	}
	err := manifest.Set{}.Substitute([]string{"A:1", "x=", "=y"})
	require.ErrorContains(t, err, `"A:1" is no image`)
	require.ErrorContains(t, err, `"x=": nothing stands behind "="`)
	require.ErrorContains(t, err, `nothing stands before "="`)
}

// TestImagesOfNobody: what no node could pull is found before anything is applied, but not if
// something takes its place.
func TestImagesOfNobody(t *testing.T) {
	t.Parallel()
	for image, says := range map[string]string{
		"${IMAGE}":   `-:1: Deployment "lobby": container "proxy" has image "${IMAGE}", which is none` + "\n  hint: fill the variable in before, or let input \"images\" name the image",
		"Acme/Proxy": `-:1: Deployment "lobby": container "proxy" has image "Acme/Proxy", which is none: invalid reference format: repository name (Proxy) must be lowercase`,
		"proxy:":     `-:1: Deployment "lobby": container "proxy" has image "proxy:", which is none: invalid reference format`,
	} {
		set, _, err := manifest.Read([]string{"-"}, nil, strings.NewReader(strings.TrimPrefix(strings.Replace(twoContainers, "image: nginx", "image: '"+image+"'", 1), "\n")))
		require.NoError(t, err)
		require.EqualError(t, set.Substitute(nil), strings.Replace(says, "-:1", "standard input:1", 1))
		require.NoError(t, set.Substitute([]string{"lobby/proxy=envoy:1"}))
	}
}

package cost

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/executable"
)

// play runs a script of those that roll out by hand, with a kubectl that only takes note
// and a Service whose address is 192.0.2.1. It returns what kubectl was asked, and what
// the script printed.
func play(t *testing.T, name, ask string, environ []string, args ...string) (asked, printed []string) {
	t.Helper()
	dir := t.TempDir()
	noted := filepath.Join(dir, "noted")
	stub := "#!/bin/sh\ncase \"$*\" in *' apply '*) cat >>" + dir + "/applied ;; *jsonpath=*0*) printf 192.0.2.1 ;; esac\necho \"$*\" >>" + noted + "\n"
	require.NoError(t, executable.Write(filepath.Join(dir, "kubectl"), stub))
	for _, program := range []string{"curl", "nc.openbsd"} {
		require.NoError(t, executable.Write(filepath.Join(dir, program), "#!/bin/sh\n"+ask+"\n"))
	}
	cmd := exec.CommandContext(t.Context(), "bash", append([]string{name}, args...)...)
	cmd.Dir = "../.."
	cmd.Env = append([]string{"PATH=" + dir + ":" + os.Getenv("PATH"), "NAMESPACE=game", "KUBECTL=kubectl --kubeconfig k", "SETTLE=0", "PAUSE=0"}, environ...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	data, err := os.ReadFile(noted)
	if !errors.Is(err, fs.ErrNotExist) { // it asked for nothing
		require.NoError(t, err)
	}
	if applied, err := os.ReadFile(filepath.Join(dir, "applied")); err == nil {
		require.NotContains(t, string(applied), "extensions/v1beta1")
		require.Contains(t, string(applied), "replicas: 0\n", "the new version begins without pods")
	}
	for line := range strings.Lines(string(data)) {
		words, mine := strings.CutPrefix(strings.TrimSpace(line), "--kubeconfig k -n game ")
		require.True(t, mine, line)
		asked = append(asked, words)
	}
	return asked, strings.Split(strings.TrimSpace(string(out)), "\n")
}

// scaled are the calls that scale one Deployment.
func scaled(name, replicas string) []string {
	return []string{"scale deployment/" + name + " --replicas " + replicas, "rollout status deployment/" + name + " --timeout 2m"}
}

// together are some lists as one.
func together(lists ...[]string) []string {
	var all []string
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

func TestByHandMoves(t *testing.T) {
	t.Parallel()
	asked, printed := play(t, "test/compare/by-hand.sh", "", nil, "blue", "green", "9+1", "9+3")
	require.Equal(t, together(scaled("green", "1"), scaled("blue", "9"), scaled("green", "3")), asked, "what has its size is left alone")
	require.Len(t, printed, 2)
	require.Regexp(t, `^9\+1 \d+\.\d{3}$`, printed[0])
	require.Regexp(t, `^9\+3 \d+\.\d{3}$`, printed[1])
}

func TestByHandCountsAnswers(t *testing.T) {
	t.Parallel()
	environ := []string{"FROM=10+0", `ASK=if [ "$i" -eq 2 ]; then false; else echo "1.8.2 pod-$i"; fi`}
	asked, printed := play(t, "test/compare/by-hand.sh", "", environ, "blue", "green", "10+0:5")
	require.Empty(t, asked, "nothing moves")
	require.Contains(t, []string{"answers 1.8.2 4 lost 1", "answers lost 1 1.8.2 4"}, printed[1])
}

func TestSeedByHand(t *testing.T) {
	t.Parallel()
	asked, printed := play(t, "test/cost/seed.sh", "echo old", nil, "1", "2", "3", "4")
	require.Equal(t, together([]string{
		"apply -f -", "rollout status deployment/old-nginx --timeout 2m",
		"wait --for jsonpath={.status.loadBalancer.ingress} service/nginx --timeout 2m",
		"get service nginx -o jsonpath={.status.loadBalancer.ingress[0].ip}", "apply -f -",
	}, scaled("new-nginx", "1"), scaled("new-nginx", "4"), scaled("new-nginx", "1"), scaled("old-nginx", "0")), asked)
	require.Equal(t, []string{"answers old 1", "answers old 2", "answers old 3", "answers old 4"}, odd(printed))
}

func TestLobbyByHand(t *testing.T) {
	t.Parallel()
	asked, printed := play(t, "test/cost/lobby.sh", "echo 1.8.2 pod", nil, "1", "2", "3", "4", "5")
	require.Equal(t, together([]string{"apply -f -", "get service lobby -o jsonpath={.status.loadBalancer.ingress[0].ip}"},
		scaled("lobby-green", "1"), scaled("lobby-blue", "9"), scaled("lobby-green", "3"),
		scaled("lobby-green", "5"), scaled("lobby-blue", "5"), scaled("lobby-green", "10"), scaled("lobby-blue", "0")), asked)
	require.Equal(t, "answers 1.8.2 2", odd(printed)[0], "both ports")
	require.Equal(t, "answers 1.8.2 10", odd(printed)[4])
}

// odd is every second line, from the second.
func odd(lines []string) []string {
	var found []string
	for i := 1; i < len(lines); i += 2 {
		found = append(found, lines[i])
	}
	return found
}

func TestAnswered(t *testing.T) {
	t.Parallel()
	stages, err := Answered("10+0 0.001\nanswers 1.8.2 5\n9+1 3.2\nanswers 1.8.2 90 1.9.0 12\n")
	require.NoError(t, err)
	require.Equal(t, []int{5, 102}, stages)
	for _, text := range []string{"answers old 4 lost 1\n", "answers old\n", "answers old new\n", "answers  1 old 4\n"} {
		_, err := Answered(text)
		require.Error(t, err, text)
	}
}

package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// requirement is a program that the lab needs, and the Debian package with it.
type requirement struct {
	program string
	pkg     string
}

var requirements = []requirement{
	{"containerd", "containerd"},
	{"containerd-shim-runc-v2", "containerd"},
	{"runc", "runc"},
	{"iptables", "iptables"},
	{"nft", "nftables"},
	{"conntrack", "conntrack"},
	{"ip", "iproute2"},
}

// pluginFolders are where Debian's and everybody else's CNI plugins lie.
var pluginFolders = []string{"/usr/lib/cni", "/opt/cni/bin"}

// plugins are the CNI plugins that the lab's networks use.
var plugins = []string{"ptp", "host-local", "portmap", "loopback"}

// lookup finds programs and folders; a test has its own.
type lookup struct {
	path func(program string) (string, error)
	stat func(path string) (os.FileInfo, error)
}

// missing returns the packages that are not there, sorted.
func (l lookup) missing() []string {
	var lacks []string
	for _, r := range requirements {
		if _, err := l.path(r.program); err != nil {
			lacks = append(lacks, r.pkg)
		}
	}
	if l.pluginFolder() == "" {
		lacks = append(lacks, "containernetworking-plugins")
	}
	slices.Sort(lacks)
	return slices.Compact(lacks)
}

// pluginFolder is the first folder with all the CNI plugins, or "".
func (l lookup) pluginFolder() string {
	for _, dir := range pluginFolders {
		lacks := func(plugin string) bool {
			_, err := l.stat(filepath.Join(dir, plugin))
			return err != nil
		}
		if !slices.ContainsFunc(plugins, lacks) {
			return dir
		}
	}
	return ""
}

// require installs what is missing, and returns the folder of the CNI plugins.
func (p *Provider) require(ctx context.Context) (string, error) {
	machine := lookup{path: exec.LookPath, stat: os.Stat}
	lacks := machine.missing()
	if len(lacks) == 0 {
		return machine.pluginFolder(), nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", fmt.Errorf("looking for what the lab needs: missing %s (names of Debian packages), "+
			"and there is no apt-get to install them", strings.Join(lacks, ", "))
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("looking for what the lab needs: missing Debian packages; "+
			"install them with: sudo apt-get install --no-install-recommends %s", strings.Join(lacks, " "))
	}
	p.say("installing Debian packages: %s …", strings.Join(lacks, " "))
	install := append([]string{"install", "--yes", "--no-install-recommends"}, lacks...)
	for _, args := range [][]string{{"update"}, install} {
		if err := aptGet(ctx, args); err != nil {
			return "", err
		}
	}
	if lacks := machine.missing(); len(lacks) > 0 {
		return "", fmt.Errorf("installing Debian packages: still missing after that: %s", strings.Join(lacks, ", "))
	}
	return machine.pluginFolder(), nil
}

func aptGet(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			err = ctx.Err()
		}
		return fmt.Errorf("running \"apt-get %s\": %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(out.String()))
	}
	return nil
}

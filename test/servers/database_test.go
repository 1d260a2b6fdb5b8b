//go:build e2e

package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// version is the first version in what a program says of itself.
func version(t *testing.T, name string, args ...string) string {
	t.Helper()
	found := regexp.MustCompile(`\d+\.\d+\.\d+`).FindString(command(t, "", name, args...))
	require.NotEmpty(t, found)
	return found
}

// later is a version that was never released, with as many letters.
func later(version string) string {
	at := strings.LastIndexByte(version, '.') + 1
	return version[:at] + strings.Repeat("9", len(version)-at)
}

// TestMariaDB: many times max_connect_errors flows by the recipe, and the prober is still
// let in; that it would not be without the recipe is shown at the end.
func TestMariaDB(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	all := backends(t)
	for _, b := range all {
		data := filepath.Join(b.dir, "data")
		command(t, "", "mariadb-install-db", "--no-defaults", "--user=root", "--auth-root-authentication-method=normal",
			"--skip-test-db", "--datadir="+data, "--tmpdir="+b.dir) // a server that starts clears it
		certificate(t, b.dir, b.name)
		n.start(t, b.dir, "mariadbd", "--no-defaults", "--ssl-cert="+filepath.Join(b.dir, "cert.pem"), "--ssl-key="+filepath.Join(b.dir, "key.pem"), "--user=root", "--datadir="+data, "--tmpdir="+b.dir, "--socket="+filepath.Join(b.dir, "socket"),
			"--pid-file="+filepath.Join(b.dir, "pid"), "--bind-address="+b.address, "--version=10.11.19-"+b.name,
			"--innodb-buffer-pool-size=16M", "--performance-schema=on", "--max-connect-errors=100")
	}
	n.listens(t, "t", at("3306")...)
	for _, b := range all { // else it turns strangers away before it has greeted them
		query(t, b, "CREATE USER game@'%' IDENTIFIED BY 'secret'")
	}
	a := asked{port: "3306", probe: recipe(t, "mysql"), stable: `10\.11\.19-old`, canary: `10\.11\.19-new`, count: 2000}
	n.requireSplit(t, a)
	for _, b := range all {
		counted := query(t, b, "SELECT COALESCE(SUM(SUM_CONNECT_ERRORS), 0) FROM performance_schema.host_cache")
		require.Equal(t, "0", counted, "connections that %s holds against the prober", b.name)
	}
	// With a user of that name every login succeeds.
	for _, b := range all {
		query(t, b, "CREATE USER l4canary")
	}
	a.count = 500
	n.requireSplit(t, a)
	a.probe = recipe(t, "mysql over TLS")
	n.requireSplit(t, a)
	require.Equal(t, "0", query(t, all[0], "SELECT COALESCE(SUM(SUM_CONNECT_ERRORS), 0) FROM performance_schema.host_cache"))

	// Only the greeting, and the servers lock the prober out.
	r, _ := n.sample(t, asked{port: "3306", probe: "tcp", stable: a.stable, canary: a.canary, count: 1000, rate: 200})
	require.Positive(t, r.Unknown+r.failed(), "without a login the server blocks: the recipe is needed")
	require.Contains(t, query(t, all[0], "SELECT COUNT_HOST_BLOCKED_ERRORS > 0 FROM performance_schema.host_cache WHERE IP = '"+client+"'"), "1")
}

// query asks a server over its socket.
func query(t *testing.T, b backend, statement string) string {
	t.Helper()
	out := command(t, statement, "mariadb", "--no-defaults", "--user=root", "--socket="+filepath.Join(b.dir, "socket"), "--skip-column-names", "--batch")
	return strings.TrimSpace(out)
}

// TestPostgreSQL: the recipe, and nothing in the log about who left.
func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	binaries, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	require.NoError(t, err)
	require.NotEmpty(t, binaries)
	bin := filepath.Dir(binaries[len(binaries)-1])
	var logs []string
	for _, b := range backends(t) {
		certificate(t, b.dir, b.name)
		data := filepath.Join(b.dir, "data")
		command(t, "", "chown", "-R", "postgres:", b.dir)
		require.NoError(t, os.Chmod(filepath.Join(b.dir, "key.pem"), 0o600))
		command(t, "", "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", filepath.Join(bin, "initdb"), "-D", data, "--no-sync", "-A", "scram-sha-256", "--pwfile=/etc/hostname")
		p := n.start(t, b.dir, "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", filepath.Join(bin, "postgres"), "-D", data,
			"-k", b.dir, "-h", b.address, "-c", "ssl=on", "-c", "ssl_cert_file="+filepath.Join(b.dir, "cert.pem"), "-c", "ssl_key_file="+filepath.Join(b.dir, "key.pem"))
		logs = append(logs, p.Log)
	}
	n.listens(t, "t", at("5432")...)
	n.requireSplit(t, asked{port: "5432", probe: recipe(t, "postgres"), stable: "(?m)^cn: old$", canary: "(?m)^cn: new$"})
	for _, log := range logs {
		for _, bad := range []string{"incomplete startup packet", "could not", "too many"} {
			require.NotContains(t, read(t, log), bad)
		}
	}
}

// TestMosquitto: the recipe.
func TestMosquitto(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	is := version(t, "sh", "-c", "mosquitto -h || true")
	for _, b := range backends(t) {
		config := write(t, filepath.Join(b.dir, "mosquitto.conf"), fmt.Sprintf("user root\nlistener 1883 %s\nallow_anonymous true\nlog_type all\n", b.address))
		n.start(t, b.dir, another(t, b, "/usr/sbin/mosquitto", is, later(is)), "-c", config)
	}
	n.listens(t, "t", at("1883")...)
	n.requireSplit(t, asked{port: "1883", probe: recipe(t, "mqtt"), stable: "version " + regexp.QuoteMeta(is), canary: "version " + regexp.QuoteMeta(later(is))})
}

// TestMemcached: the recipe, and no connection that was turned away.
func TestMemcached(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	is := version(t, "memcached", "-V")
	all := backends(t)
	for _, b := range all {
		n.start(t, b.dir, another(t, b, "/usr/bin/memcached", is, later(is)), "-u", "root", "-l", b.address)
	}
	n.listens(t, "t", at("11211")...)
	n.requireSplit(t, asked{port: "11211", probe: recipe(t, "memcached"), stable: "VERSION " + regexp.QuoteMeta(is), canary: "VERSION " + regexp.QuoteMeta(later(is))})
	for _, b := range all {
		stats := command(t, "stats\r\nquit\r\n", "ip", "netns", "exec", n.server, "socat", "-", "TCP:"+b.address+":11211")
		require.Contains(t, stats, "STAT rejected_connections 0\r\n")
		require.Contains(t, stats, "STAT listen_disabled_num 0\r\n")
	}
}

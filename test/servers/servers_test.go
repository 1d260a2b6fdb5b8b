//go:build e2e

package servers

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/executable"
)

// backend is one of the two servers behind the balancer.
type backend struct{ name, address, dir string }

// backends are both, each with a directory that everybody may enter: some servers are
// not root.
func backends(t *testing.T) []backend {
	t.Helper()
	base, err := os.MkdirTemp("/tmp", "l4-servers-") //nolint:usetesting // t.TempDir lets nobody else in
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(base)) })
	require.NoError(t, os.Chmod(base, 0o755))
	all := []backend{{"old", old, filepath.Join(base, "old")}, {"new", canary, filepath.Join(base, "new")}}
	for _, b := range all {
		require.NoError(t, os.Mkdir(b.dir, 0o755))
	}
	return all
}

// at are the addresses of both on a port.
func at(port string) []string { return []string{old + ":" + port, canary + ":" + port} }

// TestNginx: presets http, https and tls, and HTTP behind the PROXY protocol.
func TestNginx(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	for _, b := range backends(t) {
		certificate(t, b.dir, b.name)
		config := fmt.Sprintf(`daemon off; user root; pid nginx.pid; error_log stderr; worker_processes 1;
events {}
http {
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	server {
		listen %[1]s:80; listen %[1]s:443 ssl http2; listen %[1]s:8081 proxy_protocol;
		ssl_certificate cert.pem; ssl_certificate_key key.pem;
		add_header X-Version %[2]s;
		location / { return 200 "from $proxy_protocol_addr\n"; }
	}
}
`, b.address, b.name)
		write(t, filepath.Join(b.dir, "nginx.conf"), config)
		n.start(t, b.dir, "nginx", "-p", b.dir, "-c", filepath.Join(b.dir, "nginx.conf"))
	}
	n.listens(t, "t", append(at("80"), append(at("443"), at("8081")...)...)...)
	version := asked{stable: "X-Version: old", canary: "X-Version: new"}
	for port, probe := range map[string]string{"80": "http", "443": "https", "8081": recipe(t, "behind PROXY")} {
		a := version
		a.port, a.probe = port, probe
		if port == "8081" {
			a.stable, a.canary = `(?s)X-Version: old.*from `+client+"\n", `(?s)X-Version: new.*from `+client+"\n"
		}
		n.requireSplit(t, a)
	}
	n.requireSplit(t, asked{port: "443", probe: "tls", stable: "(?m)^cn: old$", canary: "(?m)^dns: new.example$"})
	n.requireSplit(t, asked{port: "443", probe: "{tls: {insecure: true, alpn: [h2]}}", stable: "(?s)alpn: h2\n.*cn: old", canary: "(?s)alpn: h2\n.*cn: new"})
	n.requireSplit(t, asked{port: "80", probe: "http", stable: version.stable, canary: version.canary, close: "rst", rate: 200})
}

// TestUDP: preset udp, and steps over UDP, with nginx's stream module, which answers any
// datagram.
func TestUDP(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	for _, b := range backends(t) {
		config := write(t, filepath.Join(b.dir, "nginx.conf"), fmt.Sprintf(`load_module %s;
daemon off; user root; pid nginx.pid; error_log stderr; worker_processes 1;
events {}
stream {
	server { listen %s:7777 udp; return "%s after $bytes_received bytes"; }
}
`, "/usr/lib/nginx/modules/ngx_stream_module.so", b.address, b.name))
		n.start(t, b.dir, "nginx", "-p", b.dir, "-c", config)
	}
	n.listens(t, "u", at("7777")...)
	n.requireSplit(t, asked{port: "7777", probe: "udp", stable: "^old", canary: "^new"})
	n.requireSplit(t, asked{
		port: "7777", probe: "{protocol: UDP, steps: [{sendHex: 00 ff, expect: ' (?P<bytes>[0-9]+) bytes$'}]}", stable: "^old", canary: "^new",
	})
}

// TestOpenSSH: the recipe at its own rate, and no word in the server's log of connections
// that were dropped or held against the prober.
func TestOpenSSH(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	var logs []string
	for _, b := range backends(t) {
		key := filepath.Join(b.dir, "key")
		command(t, "", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
		config := write(t, filepath.Join(b.dir, "sshd_config"), "UsePAM no\nPidFile none\nVersionAddendum "+b.name+"\nHostKey "+key+
			"\nListenAddress "+b.address+":22\n")
		p := n.start(t, b.dir, "sh", "-c", "mount -t tmpfs tmpfs /run && mkdir /run/sshd && exec /usr/sbin/sshd -D -e -f "+config)
		logs = append(logs, p.Log)
	}
	n.listens(t, "t", at("22")...)
	n.requireSplit(t, asked{port: "22", probe: recipe(t, "ssh"), stable: `\bold\b`, canary: `\bnew\b`, count: 45})
	for _, log := range logs {
		for _, bad := range []string{"drop connection", "MaxStartups", "penalty"} {
			require.NotContains(t, read(t, log), bad)
		}
	}
}

// TestOpenSMTPD: the recipe, and the banner with preset tcp. One process listens for both,
// with a name each.
func TestOpenSMTPD(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	all := backends(t)
	var config strings.Builder
	for _, b := range all {
		fmt.Fprintf(&config, "listen on %s port 25 hostname %s.example\n", b.address, b.name)
	}
	config.WriteString("action \"none\" expand-only\nmatch from any for domain \"nowhere.example\" reject\n")
	path := write(t, filepath.Join(all[0].dir, "smtpd.conf"), config.String())
	p := n.start(t, all[0].dir, "sh", "-c", "mount -t tmpfs tmpfs /var/spool && mkdir -m 711 /var/spool/smtpd && mount -t tmpfs tmpfs /run && exec smtpd -d -f "+path)
	n.listens(t, "t", at("25")...)
	a := asked{port: "25", probe: recipe(t, "smtp"), stable: `^220 old\.example`, canary: `^220 new\.example`}
	n.requireSplit(t, a)
	a.probe = "tcp"
	n.requireSplit(t, a)
	require.NotContains(t, read(t, p.Log), "too many")
}

// TestDovecot: STARTTLS of IMAP, POP3 and SMTP.
func TestDovecot(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	for _, b := range backends(t) {
		certificate(t, b.dir, b.name)
		config := write(t, filepath.Join(b.dir, "dovecot.conf"), fmt.Sprintf(`base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = /dev/stderr
protocols = imap pop3 submission
hostname = %[3]s.example
submission_relay_host = 192.0.2.1
listen = %[2]s
ssl = yes
ssl_cert = <%[1]s/cert.pem
ssl_key = <%[1]s/key.pem
default_login_user = nobody
default_internal_user = nobody
service imap-login {
  service_count = 0
}
service pop3-login {
  service_count = 0
}
service submission-login {
  service_count = 0
}
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}
`, b.dir, b.address, b.name))
		n.start(t, b.dir, "dovecot", "-F", "-c", config)
	}
	n.listens(t, "t", append(at("143"), append(at("110"), at("587")...)...)...)
	for port, name := range map[string]string{"143": "imap", "110": "pop3", "587": "smtp"} {
		n.requireSplit(t, asked{port: port, probe: "{starttls: " + name + "}", stable: "(?m)^cn: old$", canary: "(?m)^cn: new$"})
	}
}

// TestRedis: the preset; what tells the two apart is where their configuration lies.
func TestRedis(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	for _, b := range backends(t) {
		config := write(t, filepath.Join(b.dir, "redis.conf"), "bind "+b.address+"\nprotected-mode no\nsave \"\"\ndir "+b.dir+"\n")
		n.start(t, b.dir, "redis-server", config)
	}
	n.listens(t, "t", at("6379")...)
	n.requireSplit(t, asked{port: "6379", probe: "redis", stable: `config_file:\S*/old/`, canary: `config_file:\S*/new/`})
	for _, address := range []string{old, canary} {
		stats := command(t, "", "ip", "netns", "exec", n.server, "redis-cli", "-h", address, "INFO", "stats")
		require.Contains(t, stats, "rejected_connections:0")
	}
}

// TestBIND: preset dns over TCP, and over UDP at the rate of the recipe, since BIND limits
// its answers there; that it does so is shown at the end.
func TestBIND(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	for _, b := range backends(t) {
		config := write(t, filepath.Join(b.dir, "named.conf"), fmt.Sprintf(`options {
	directory %[1]q; pid-file none; session-keyfile none; managed-keys-directory %[1]q;
	listen-on { %[2]s; }; listen-on-v6 { none; }; recursion no; dnssec-validation no;
	version "lobby-%[3]s"; hostname "%[3]s-1";
};
controls {};
`, b.dir, b.address, b.name))
		n.start(t, b.dir, "named", "-g", "-n", "1", "-c", config)
	}
	n.listens(t, "t", at("53")...)
	a := asked{
		port: "53", protocol: "tcp", probe: "dns",
		stable: "^version.bind: lobby-old\nhostname.bind: old-1\n", canary: "^version.bind: lobby-new\nhostname.bind: (?P<pod>new-1)\n",
	}
	n.requireSplit(t, a)
	a.protocol, a.probe, a.count = "udp", recipe(t, "bind"), 80
	n.requireSplit(t, a)
	a.probe, a.count = "dns", 300
	r, _ := n.sample(t, a)
	require.Positive(t, r.Errors["timeout"], "without a limit the server drops answers: the recipe is needed")
}

// TestDnsmasq: preset dns over UDP at full rate.
func TestDnsmasq(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	is := regexp.MustCompile(`\d+\.\d+`).FindString(command(t, "", "dnsmasq", "--version"))
	for _, b := range backends(t) {
		n.start(t, b.dir, another(t, b, "/usr/sbin/dnsmasq", "dnsmasq-"+is, "dnsmasq-"+later(is)), "--keep-in-foreground", "--conf-file=/dev/null",
			"--user=root", "--pid-file=", "--bind-interfaces", "--port=5353", "--listen-address="+b.address, "--no-resolv", "--log-facility=-")
	}
	n.listens(t, "u", at("5353")...)
	n.requireSplit(t, asked{
		port: "5353", protocol: "udp", probe: "dns",
		stable: "version.bind: dnsmasq-" + regexp.QuoteMeta(is) + "\n", canary: "version.bind: dnsmasq-" + regexp.QuoteMeta(later(is)) + "\n",
	})
}

// TestGRPC: the preset against gRPC's own server, in the clear.
func TestGRPC(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	for _, b := range backends(t) {
		n.start(t, b.dir, health(t), b.address+":50051", b.name)
	}
	n.listens(t, "t", at("50051")...)
	n.requireSplit(t, asked{
		port: "50051", probe: "grpc",
		stable: "(?s)x-version: old.*serving-status: SERVING", canary: "(?s)x-version: new.*serving-status: SERVING",
	})
}

// health is the compiled server of test/servers/health.
func health(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../bin/health")
	require.NoError(t, err)
	return path
}

// another is a copy of a server whose binary says that it is another version.
func another(t *testing.T, b backend, binary, from, to string) string {
	t.Helper()
	require.Len(t, to, len(from))
	data, err := os.ReadFile(binary)
	require.NoError(t, err)
	require.True(t, bytes.Contains(data, []byte(from)), "%s does not hold its version", binary)
	if b.name == "new" {
		data = bytes.ReplaceAll(data, []byte(from), []byte(to))
	}
	path := filepath.Join(b.dir, filepath.Base(binary))
	require.NoError(t, executable.Write(path, string(data)))
	return path
}

package host_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// said is what the program saw of its process.
type said struct {
	PID       int
	Arguments []string
	Env       map[string]string
}

// program stands for the real one: it writes down what it sees. With WAIT it tells so by
// a file of that name, waits for a signal, and ends as an interrupted run.
func program() int {
	s := said{PID: os.Getpid(), Arguments: os.Args[1:], Env: map[string]string{}}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		s.Env[name] = value
	}
	data, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(os.Getenv("RECORD"), data, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	waiting := os.Getenv("WAIT")
	if waiting == "" || len(os.Args) > 1 {
		return 0
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if err := os.WriteFile(waiting, nil, 0o600); err != nil {
		return 99
	}
	fmt.Println("got", <-signals)
	return 130
}

// platform is this machine's part of an archive's name.
func platform() string { return runtime.GOOS + "_" + runtime.GOARCH }

// archive is a release's archive with the program in it, by a name.
func archive(t *testing.T, name string) []byte {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	data, err := os.ReadFile(self)
	require.NoError(t, err)
	var b bytes.Buffer
	packed, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	require.NoError(t, err)
	files := tar.NewWriter(packed)
	require.NoError(t, files.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))}))
	_, err = files.Write(data)
	require.NoError(t, err)
	require.NoError(t, files.Close())
	require.NoError(t, packed.Close())
	return b.Bytes()
}

// checksums are those of v1.2.3, of which only this machine's is real.
func checksums(data []byte) string {
	sum := sha256.Sum256(data)
	return fmt.Sprintf("%s  l4-canary_v1.2.3_plan9_mips.tar.gz\n%s  l4-canary_v1.2.3_%s.tar.gz\n",
		strings.Repeat("0", 64), hex.EncodeToString(sum[:]), platform())
}

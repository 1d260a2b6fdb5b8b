package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
)

// answerMetrics says what a flow does not show, in Prometheus' text format,
// https://prometheus.io/docs/instrumenting/exposition_formats/
func (s *Server) answerMetrics(w http.ResponseWriter, _ *http.Request) {
	resident, err := residentBytes()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = fmt.Fprintf(w, `# HELP workload_sessions TCP conversations that are open.
# TYPE workload_sessions gauge
workload_sessions{version=%[1]q} %[2]d
# HELP workload_resets_total TCP conversations that were reset before the greeting.
# TYPE workload_resets_total counter
workload_resets_total{version=%[1]q} %[3]d
# HELP process_resident_memory_bytes Memory of the process that is in use.
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes{version=%[1]q} %[4]d
`, s.cfg.Version, s.sessions.Load(), s.resets.Load(), resident)
}

// residentBytes are the process's pages in memory, the second number of proc_pid_statm(5).
func residentBytes() (int64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var size, resident int64
	if _, err := fmt.Fscan(strings.NewReader(string(text)), &size, &resident); err != nil {
		return 0, fmt.Errorf("reading /proc/self/statm %q: %w", text, err)
	}
	return resident * int64(os.Getpagesize()), nil
}

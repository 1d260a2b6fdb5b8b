package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// metricPassword lets the scripts into their Prometheus server. It must never be printed.
const metricPassword = "hunter2-THE-PASSWORD"

// startPrometheus starts a server for the rest of the script that gives one value for
// every query but those that hold "boom", which it does not understand, and "nothing",
// for which it has no data. It lets in "ci" alone. PROMETHEUS becomes its address without
// a scheme. "gone" is one that has stopped listening.
func startPrometheus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: prometheus VALUE")
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.FormValue("query")
		user, password, _ := r.BasicAuth()
		switch {
		case user != "ci" || password != metricPassword:
			http.Error(w, "::error::"+password+" is not it", http.StatusUnauthorized)
		case strings.Contains(query, "boom"):
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"status":"error","errorType":"bad_data","error":"1:5: parse error:\n::error::unexpected <EOF> in `+password+`"}`)
		case strings.Contains(query, "nothing"):
			_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
		default:
			_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"query":%q},"value":[1700000000,%q]}]}}`, query, args[0])
		}
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	ts.Setenv("PROMETHEUS", strings.TrimPrefix(server.URL, "http://"))
	ts.Setenv("METRIC_PASSWORD", metricPassword)
	if args[0] == "gone" {
		server.Close()
		return
	}
	ts.Defer(server.Close)
}

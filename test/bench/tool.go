//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// tool is another program that makes requests over HTTP, as fast as it goes.
type tool struct {
	name    string
	program string
	args    func(workers, seconds int, url string) []string
	read    func(output string) (outcome, error)
	version []string // arguments that have it say its version
}

// outcome is what a tool did.
type outcome struct {
	Requests int
	Failed   int
	Rate     float64 // requests a second
	CPU      time.Duration
}

// tools are the programs that samples are compared with.
func tools(fortio string) []tool {
	return []tool{
		{name: "wrk", program: "wrk", args: wrkArgs, read: readWrk, version: []string{"-v"}},
		{name: "ab", program: "ab", args: abArgs, read: readAB, version: []string{"-V"}},
		{name: "fortio", program: fortio, args: fortioArgs, read: readFortio, version: []string{"version"}},
	}
}

// wrkArgs: of itself wrk says less than the others, and a server has less to read.
func wrkArgs(workers, seconds int, url string) []string {
	return []string{
		"--threads", strconv.Itoa(min(workers, runtime.NumCPU())), "--connections", strconv.Itoa(workers),
		"--duration", fmt.Sprintf("%ds", seconds), "--header", "User-Agent: l4-canary", "--header", "Accept: */*",
		"--header", "Connection: close", url,
	}
}

// abArgs: without -k each request has a connection of its own. A number of requests
// has to follow the time, or the time sets one.
func abArgs(workers, seconds int, url string) []string {
	return []string{"-q", "-c", strconv.Itoa(workers), "-t", strconv.Itoa(seconds), "-n", "100000000", url}
}

func fortioArgs(workers, seconds int, url string) []string {
	return []string{
		"load", "-quiet", "-qps", "0", "-c", strconv.Itoa(workers), "-t", fmt.Sprintf("%ds", seconds), "-keepalive=false",
		"-json", "-", url,
	}
}

// missing names the programs that are not there.
func missing(all []tool) error {
	var problems []error
	for _, t := range all {
		if _, err := exec.LookPath(t.program); err != nil {
			problems = append(problems, fmt.Errorf("%s is missing: %w", t.name, err))
		}
	}
	return errors.Join(problems...)
}

// ask has a tool make requests for some seconds.
func (t tool) ask(ctx context.Context, workers, seconds int, url string) (outcome, error) {
	command := exec.CommandContext(ctx, t.program, t.args(workers, seconds, url)...)
	var stdout, stderr strings.Builder
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return outcome{}, fmt.Errorf("%s: %w: %s", t.name, err, strings.TrimSpace(stderr.String()))
	}
	result, err := t.read(stdout.String())
	if err != nil {
		return outcome{}, fmt.Errorf("what %s says: %w", t.name, err)
	}
	result.CPU = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	if result.Failed > 0 {
		return result, fmt.Errorf("%s: %d of %d requests failed", t.name, result.Failed, result.Requests)
	}
	return result, nil
}

// said is the version of a tool, as it says it.
func (t tool) said(ctx context.Context) string {
	output, _ := exec.CommandContext(ctx, t.program, t.version...).Output() // wrk's status is not 0 then
	return regexp.MustCompile(`\d+\.\d+[.\d]*\S*|$`).FindString(string(output))
}

// number is the first group of an expression, which has to be there.
func number(output, expression string) (float64, error) {
	match := regexp.MustCompile(expression).FindStringSubmatch(output)
	if match == nil {
		return 0, fmt.Errorf("%q is not in %q", expression, output)
	}
	return strconv.ParseFloat(match[1], 64)
}

// readWrk: failures are in lines that are there only if there are any.
func readWrk(output string) (outcome, error) {
	requests, err := number(output, `(?m)^ *(\d+) requests in `)
	rate, rateErr := number(output, `(?m)^Requests/sec: +([\d.]+)`)
	failed := 0
	for _, line := range regexp.MustCompile(`(?m)^ *(Socket errors|Non-2xx or 3xx responses):.*`).FindAllString(output, -1) {
		for _, count := range regexp.MustCompile(` (\d+)\b`).FindAllStringSubmatch(line, -1) {
			n, convErr := strconv.Atoi(count[1])
			failed, err = failed+n, errors.Join(err, convErr)
		}
	}
	return outcome{Requests: int(requests), Failed: failed, Rate: rate}, errors.Join(err, rateErr)
}

func readAB(output string) (outcome, error) {
	requests, err := number(output, `(?m)^Complete requests: +(\d+)`)
	failed, failedErr := number(output, `(?m)^Failed requests: +(\d+)`)
	rate, rateErr := number(output, `(?m)^Requests per second: +([\d.]+)`)
	others, _ := number(output, `(?m)^Non-2xx responses: +(\d+)`) // only there if there are any
	return outcome{Requests: int(requests), Failed: int(failed + others), Rate: rate}, errors.Join(err, failedErr, rateErr)
}

func readFortio(output string) (outcome, error) {
	var result struct {
		ActualQPS         float64
		DurationHistogram struct{ Count int }
		RetCodes          map[string]int
	}
	if err := json.Unmarshal([]byte(output), &result); err != nil {
		return outcome{}, err
	}
	all := result.DurationHistogram.Count
	if all == 0 {
		return outcome{}, fmt.Errorf("no request was made: %q", output)
	}
	return outcome{Requests: all, Failed: all - result.RetCodes["200"], Rate: result.ActualQPS}, nil
}

// programs are the tools' names with their versions.
func programs(ctx context.Context, all []tool) []string {
	var names []string
	for _, t := range all {
		names = append(names, strings.TrimSpace(t.name+" "+t.said(ctx)))
	}
	return names
}

package main

import (
	"cmp"
	"crypto/rand"
	"os"
	"strconv"
	"strings"

	"github.com/org/l4-canary/internal/kube"
)

// holder says who this process is to others that want the same Service.
func (c *Command) holder() kube.Holder {
	h := kube.Holder{Token: rand.Text(), PID: os.Getpid(), Started: started(os.Getpid())}
	if name, err := os.Hostname(); err == nil {
		h.Host = name
	}
	if boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		h.Boot = strings.TrimSpace(string(boot))
	}
	if pids, err := os.Readlink("/proc/self/ns/pid"); err == nil {
		h.PIDs = pids // containers of one host can share its name
	}
	switch {
	case c.Getenv("GITHUB_RUN_ID") != "":
		h.Run, h.Attempt, h.Job = c.Getenv("GITHUB_RUN_ID"), c.Getenv("GITHUB_RUN_ATTEMPT"), c.Getenv("GITHUB_JOB")
		h.Step = c.Getenv("GITHUB_ACTION")
		h.URL = c.Getenv("GITHUB_SERVER_URL") + "/" + c.Getenv("GITHUB_REPOSITORY") + "/actions/runs/" + h.Run
		workflow, _, _ := strings.Cut(c.Getenv("GITHUB_WORKFLOW_REF"), "@")
		h.Workflow = cmp.Or(workflow, c.Getenv("GITHUB_WORKFLOW"))
		// Without a number nothing is superseded.
		h.Number, _ = strconv.Atoi(c.Getenv("GITHUB_RUN_NUMBER"))
	case c.Getenv("CI_PIPELINE_ID") != "":
		h.Run, h.Job, h.URL = c.Getenv("CI_PIPELINE_ID"), c.Getenv("CI_JOB_NAME"), c.Getenv("CI_JOB_URL")
	}
	return h
}

// alive reports whether the process of a holder on this host still runs. Process
// numbers are used again, so the time of its start counts too.
func alive(h kube.Holder) bool { return h.Started != "" && started(h.PID) == h.Started }

// started is when a process began, in the kernel's own measure: field 22 of
// proc(5)'s stat, behind the name in brackets. It is empty if there is no such
// process.
func started(pid int) string {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(stat[max(strings.LastIndexByte(string(stat), ')'), 0):]), " ")
	fields := strings.Fields(rest)
	const starttime = 22 - 3 // counted from the field behind the name
	if len(fields) <= starttime {
		return ""
	}
	return fields[starttime]
}

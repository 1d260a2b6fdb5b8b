package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Config says where to listen, who to claim to be and how to misbehave. The
// zero value listens nowhere and behaves.
type Config struct {
	Version string // one word
	Pod     string // one word

	HTTPAddr   string   // host:port; empty: do not listen
	TCPAddrs   []string // host:port each
	UDPAddrs   []string // host:port each
	HealthAddr string   // host:port; empty: do not listen

	Delay        time.Duration // before each answer
	ErrorShare   float64       // share of flows answered wrongly, 0 to 1
	OtherShare   float64       // share of flows answered as OtherVersion, 0 to 1
	OtherVersion string        // one word
	Seed         uint64        // of the choice of those flows; 0: a new one each start

	Refuse        bool          // listen on HealthAddr only
	NeverReady    bool          // /healthz answers 503
	CrashAfter    time.Duration // 0: never
	AllocateMiB   int           // memory to take and touch once started
	IgnoreSIGTERM bool          // for main: Run only knows its context
	DrainDelay    time.Duration // between the end of the context and that of accepting
}

// ParseConfig reads the environment that the package comment lists. The error
// names every variable that is wrong, with its value and what is allowed.
func ParseConfig(getenv func(string) string) (Config, error) {
	e := &environment{getenv: getenv}
	cfg := Config{
		Version:       e.word("VERSION", "dev"),
		Pod:           e.word("HOSTNAME", hostname()),
		HTTPAddr:      e.address("HTTP_ADDR", ":80"),
		TCPAddrs:      e.addresses("TCP_ADDR", ":7000"),
		UDPAddrs:      e.addresses("UDP_ADDR", ":7000,:80"),
		HealthAddr:    e.address("HEALTH_ADDR", ":8081"),
		Delay:         e.duration("DELAY", 0),
		ErrorShare:    e.share("ERROR_SHARE"),
		OtherShare:    e.share("OTHER_SHARE"),
		OtherVersion:  e.word("OTHER_VERSION", ""),
		Seed:          e.count("SEED", 64),
		Refuse:        e.truth("REFUSE"),
		NeverReady:    e.truth("NEVER_READY"),
		CrashAfter:    e.duration("CRASH_AFTER", time.Nanosecond),
		AllocateMiB:   int(e.count("ALLOCATE_MIB", 31)),
		IgnoreSIGTERM: e.truth("IGNORE_SIGTERM"),
		DrainDelay:    e.duration("DRAIN_DELAY", 0),
	}
	if cfg.OtherShare > 0 && cfg.OtherVersion == "" {
		e.reject("OTHER_VERSION", "one word, because OTHER_SHARE is set")
	}
	if cfg.ErrorShare+cfg.OtherShare > 1 {
		e.reject("OTHER_SHARE", "at most 1 together with ERROR_SHARE")
	}
	return cfg, errors.Join(e.errs...)
}

// hostname is the pod's name where the runtime sets no HOSTNAME.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// environment reads variables and gathers what is wrong with them.
type environment struct {
	getenv func(string) string
	errs   []error
}

func (e *environment) reject(name, allowed string) {
	e.errs = append(e.errs, fmt.Errorf("%s=%q: allowed is %s", name, e.getenv(name), allowed))
}

func (e *environment) word(name, fallback string) string {
	value := e.getenv(name)
	if value == "" {
		return fallback
	}
	if len(strings.Fields(value)) != 1 || strings.TrimSpace(value) != value {
		e.reject(name, "one word")
	}
	return value
}

func (e *environment) duration(name string, least time.Duration) time.Duration {
	value := e.getenv(name)
	if value == "" {
		return 0
	}
	d, err := time.ParseDuration(value)
	if err == nil && d >= least {
		return d
	}
	if least > 0 {
		e.reject(name, "a duration above zero, such as 1ms or 30s")
	} else {
		e.reject(name, "a duration of zero or more, such as 250ms or 2s")
	}
	return 0
}

func (e *environment) share(name string) float64 {
	value := e.getenv(name)
	if value == "" {
		return 0
	}
	share, err := strconv.ParseFloat(value, 64)
	if err != nil || !(share >= 0 && share <= 1) { // the negation refuses NaN too
		e.reject(name, "a share from 0 to 1, such as 0.5")
		return 0
	}
	return share
}

func (e *environment) count(name string, bits int) uint64 {
	value := e.getenv(name)
	if value == "" {
		return 0
	}
	n, err := strconv.ParseUint(value, 10, bits)
	if err != nil {
		e.reject(name, "a whole number of zero or more")
	}
	return n
}

func (e *environment) truth(name string) bool {
	switch e.getenv(name) {
	case "true":
		return true
	case "", "false":
		return false
	}
	e.reject(name, "true or false")
	return false
}

func (e *environment) address(name, fallback string) string {
	addrs := e.addresses(name, fallback)
	if len(addrs) > 1 {
		e.reject(name, "one host:port or off")
	}
	if len(addrs) == 0 {
		return ""
	}
	return addrs[0]
}

func (e *environment) addresses(name, fallback string) []string {
	value := e.getenv(name)
	if value == "" {
		value = fallback
	}
	if value == "off" {
		return nil
	}
	addrs := strings.Split(value, ",")
	for _, addr := range addrs {
		_, port, err := net.SplitHostPort(addr)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			e.reject(name, "host:port or :port with a port from 0 to 65535, several separated by commas, or off")
			return nil
		}
	}
	return addrs
}

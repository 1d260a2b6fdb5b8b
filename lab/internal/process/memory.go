package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Memory is what a process takes, in bytes.
type Memory struct {
	Resident     int64 // all its pages in memory (RSS)
	Proportional int64 // the same, each shared page divided by its sharers (PSS)
}

// Plus adds.
func (m Memory) Plus(other Memory) Memory {
	return Memory{Resident: m.Resident + other.Resident, Proportional: m.Proportional + other.Proportional}
}

// Minus subtracts, and stops at zero: the figures are read one after the other.
func (m Memory) Minus(other Memory) Memory {
	return Memory{
		Resident:     max(0, m.Resident-other.Resident),
		Proportional: max(0, m.Proportional-other.Proportional),
	}
}

// MemoryOf returns the memory of a process; zero if it has ended.
func MemoryOf(pid int) Memory {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	if err != nil {
		return Memory{}
	}
	return parseMemory(string(data))
}

// parseMemory reads the lines "Rss:  123 kB" and "Pss:  45 kB".
func parseMemory(rollup string) Memory {
	var m Memory
	for line := range strings.Lines(rollup) {
		var key string
		var kib int64
		if n, err := fmt.Sscanf(strings.TrimSpace(line), "%s %d kB", &key, &kib); n != 2 || err != nil {
			continue
		}
		switch key {
		case "Rss:":
			m.Resident = kib << 10
		case "Pss:":
			m.Proportional = kib << 10
		}
	}
	return m
}

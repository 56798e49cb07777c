//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
)

// machine is where the figures are from. Its name is not published.
type machine struct{ processor, cores, memory, kernel, golang string }

// load is how many processes wanted a processor in the last minute, on average:
// with more than there are cores, others use the machine too. "" where the system
// does not tell.
func load() string { return firstMatch("/proc/loadavg", `^(\S+)`) }

func thisMachine(ctx context.Context) machine {
	m := machine{
		processor: "unknown processor", cores: strconv.Itoa(runtime.NumCPU()), memory: "unknown memory",
		kernel: runtime.GOOS + "/" + runtime.GOARCH, golang: runtime.Version(),
	}
	if out, err := exec.CommandContext(ctx, "uname", "-srm").Output(); err == nil {
		m.kernel = string(bytes.TrimSpace(out))
	}
	if name := firstMatch("/proc/cpuinfo", `model name\s*: (.+)`); name != "" {
		m.processor = name
	}
	if kb, err := strconv.Atoi(firstMatch("/proc/meminfo", `MemTotal:\s+(\d+) kB`)); err == nil {
		m.memory = fmt.Sprintf("%.0f GB memory", float64(kb)/(1<<20))
	}
	return m
}

// firstMatch returns the first group of pattern in a file, "" without one.
func firstMatch(file, pattern string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	if m := regexp.MustCompile(pattern).FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return ""
}

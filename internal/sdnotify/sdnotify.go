// Package sdnotify speaks with systemd, or with another supervisor that knows its
// protocols: what state a service is in (sd_notify(3)), that it is alive
// (sd_watchdog_enabled(3)), and the sockets that were opened for it
// (sd_listen_fds(3)).
//
// The variables that carry this are for this process alone. [Environment] takes
// them out of the environment, so that no program that is started later speaks for
// the service or takes its sockets. On systems other than Linux nothing is read and
// nothing is sent.
package sdnotify

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Service is what the supervisor wants to hear and what it opened. The zero value,
// of a process without a supervisor, says nothing and has no sockets. The methods
// that send are safe for concurrent use.
type Service struct {
	socket   string // where the supervisor listens, "" for nowhere
	watchdog time.Duration
	sockets  []opened
}

// opened is a socket that the supervisor opened.
type opened struct {
	fd   int
	name string // "" without a name
}

// ErrEnvironment is wrapped when a variable of the supervisor cannot be read.
var ErrEnvironment = errors.New("variable of the service manager")

// Variables of the protocols.
const (
	notifySocket = "NOTIFY_SOCKET"
	watchdogUsec = "WATCHDOG_USEC"
	watchdogPID  = "WATCHDOG_PID"
	listenFDs    = "LISTEN_FDS"
	listenPID    = "LISTEN_PID"
	listenNames  = "LISTEN_FDNAMES"
)

// firstSocket is the number of the first socket (SD_LISTEN_FDS_START), maxSockets
// how many are taken at most.
const (
	firstSocket = 3
	maxSockets  = 256
)

// parse reads the variables for the process pid.
func parse(getenv func(string) string, pid int) (*Service, error) {
	s := &Service{socket: getenv(notifySocket)}
	wrong := func(name string) error {
		return fmt.Errorf("%w: %s cannot be read: %.40q", ErrEnvironment, name, getenv(name))
	}
	// A socket of a virtual machine's host (vsock:) is not a file.
	if at := s.socket; at != "" && at[0] != '/' && at[0] != '@' {
		return nil, wrong(notifySocket)
	}
	if usec := getenv(watchdogUsec); usec != "" && forUs(getenv(watchdogPID), pid) {
		n, err := strconv.ParseInt(usec, 10, 64)
		if err != nil || n <= 0 || n > int64(24*time.Hour/time.Microsecond) {
			return nil, wrong(watchdogUsec)
		}
		s.watchdog = time.Duration(n) * time.Microsecond
	}
	count := getenv(listenFDs)
	if count == "" || getenv(listenPID) != strconv.Itoa(pid) {
		return s, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > maxSockets {
		return nil, wrong(listenFDs)
	}
	names := strings.Split(getenv(listenNames), ":")
	if getenv(listenNames) != "" && len(names) != n {
		return nil, wrong(listenNames)
	}
	for i := range n {
		socket := opened{fd: firstSocket + i}
		if len(names) == n {
			socket.name = names[i]
		}
		s.sockets = append(s.sockets, socket)
	}
	return s, nil
}

// forUs reports that a process number is this one's, or that there is none.
func forUs(text string, pid int) bool { return text == "" || text == strconv.Itoa(pid) }

// Listens reports that there is a supervisor that wants to hear what the service says.
func (s *Service) Listens() bool { return s.socket != "" }

// Watchdog is the time after which the supervisor ends a service that has not called
// Alive; zero when it does not watch. A call each half of it is enough.
func (s *Service) Watchdog() time.Duration { return s.watchdog }

// Ready says that the service works now: after its start, and after Reloading. status
// is as for Status; "" leaves it as it is.
func (s *Service) Ready(status string) error { return s.send("READY=1\n" + statusLine(status)) }

// Stopping says that the service is about to end.
func (s *Service) Stopping(status string) error {
	return s.send("STOPPING=1\n" + statusLine(status))
}

// Status is a line for people, which systemctl status shows.
func (s *Service) Status(text string) error {
	if text == "" {
		return nil
	}
	return s.send(statusLine(text))
}

// Alive says that the service is not stuck.
func (s *Service) Alive() error {
	if s.watchdog == 0 {
		return nil
	}
	return s.send("WATCHDOG=1\n")
}

// maxStatus is the length of a status in octets: a datagram has to hold it.
const maxStatus = 1000

// statusLine is one line: a line end would begin another variable.
func statusLine(text string) string {
	if text == "" {
		return ""
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text[:min(len(text), maxStatus)])
	return "STATUS=" + strings.ToValidUTF8(text, "") + "\n"
}

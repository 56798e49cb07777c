package sdnotify

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Environment reads the supervisor's variables and takes them out of the environment
// of this process. It marks the sockets so that no program started later has them.
// It is called once, early. The error wraps ErrEnvironment.
func Environment() (*Service, error) {
	s, err := parse(os.Getenv, os.Getpid())
	for _, name := range []string{notifySocket, watchdogUsec, watchdogPID, listenFDs, listenPID, listenNames} {
		_ = os.Unsetenv(name)
	}
	if err != nil {
		return nil, err
	}
	for _, socket := range s.sockets {
		unix.CloseOnExec(socket.fd)
	}
	return s, nil
}

// Reloading says that the service takes new settings, with the time of the monotonic
// clock that Type=notify-reload asks for. Ready ends it.
func (s *Service) Reloading(status string) error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("reading the monotonic clock: %w", err)
	}
	return s.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d\n%s", now.Nano()/1000, statusLine(status)))
}

// sendTime bounds the wait for a supervisor whose queue is full.
const sendTime = 2 * time.Second

func (s *Service) send(state string) error {
	if s.socket == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: s.socket}) // "@" is an abstract name
	if err != nil {
		return fmt.Errorf("notifying the service manager: %w", err)
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(sendTime))
	if _, err := c.Write([]byte(state)); err != nil {
		return fmt.Errorf("notifying the service manager: %w", err)
	}
	return nil
}

// Listeners returns the listening sockets that the supervisor opened, by name
// (FileDescriptorName= of the socket unit, by default that unit's name; sockets
// without a name have ""). It returns them once: each further call has none. The
// caller closes them. Closing one of a Unix socket leaves its file to the supervisor.
func (s *Service) Listeners() (map[string][]net.Listener, error) {
	all := map[string][]net.Listener{}
	var failed error
	for _, socket := range s.sockets {
		l, err := listener(socket)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		all[socket.name] = append(all[socket.name], l)
	}
	s.sockets = nil
	if failed == nil {
		return all, nil
	}
	for _, named := range all {
		for _, l := range named {
			_ = l.Close()
		}
	}
	return nil, failed
}

func listener(socket opened) (net.Listener, error) {
	f := os.NewFile(uintptr(socket.fd), "socket "+socket.name)
	defer f.Close() // the listener has a copy, closed on exec too
	listening, err := unix.GetsockoptInt(socket.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err == nil && listening == 0 {
		err = errors.New("does not listen (Accept=yes in the socket unit?)")
	}
	var l net.Listener
	if err == nil {
		l, err = net.FileListener(f)
	}
	if err != nil {
		return nil, fmt.Errorf("socket %d %.80q of the service manager: %w", socket.fd, socket.name, err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return l, nil
}

//go:build !linux

package sdnotify

import "net"

// Environment is empty here: this system has no systemd.
func Environment() (*Service, error) { return &Service{}, nil }

// Reloading does nothing here.
func (s *Service) Reloading(string) error { return nil }

func (s *Service) send(string) error { return nil }

// Listeners are none here.
func (s *Service) Listeners() (map[string][]net.Listener, error) { return nil, nil }

package listener

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
)

// signature begins a header of the PROXY protocol, version 2 (HAProxy,
// proxy-protocol.txt, 2.2).
const signature = "\r\n\r\n\x00\r\nQUIT\n"

// Version and command, family and transport.
const (
	commandLocal = 0x20
	commandProxy = 0x21
	overTCP4     = 0x11
	overTCP6     = 0x21
	unspecified  = 0x00
)

// readProxy reads one header, and not an octet more. It returns the address of the client
// that the header names, or proxy's own for a connection that is the proxy's (LOCAL, such
// as a look at its health) or whose client the proxy does not know (UNSPEC).
func readProxy(r io.Reader, proxy net.Addr) (net.Addr, error) {
	var head [len(signature) + 4]byte
	n, err := io.ReadFull(r, head[:])
	switch {
	case string(head[:min(n, len(signature))]) != signature[:min(n, len(signature))]:
		return nil, errors.New("the connection begins with something else")
	case err != nil:
		return nil, fmt.Errorf("reading its beginning: %w", err)
	}
	command, transport := head[12], head[13]
	size := int64(binary.BigEndian.Uint16(head[14:]))
	body := io.LimitReader(r, size)
	client, err := readClient(body, command, transport, proxy)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, body); err != nil { // further values (TLVs)
		return nil, fmt.Errorf("reading its values: %w", err)
	}
	if left := body.(*io.LimitedReader).N; left > 0 {
		return nil, fmt.Errorf("it ends %d octets early", left)
	}
	return client, nil
}

func readClient(r io.Reader, command, transport byte, proxy net.Addr) (net.Addr, error) {
	switch {
	case command == commandLocal:
		return proxy, nil
	case command != commandProxy:
		return nil, fmt.Errorf("its version and command are %#x", command)
	case transport == unspecified:
		return proxy, nil
	case transport != overTCP4 && transport != overTCP6:
		return nil, fmt.Errorf("its family and transport are %#x, not TCP over IPv4 or IPv6", transport)
	}
	ip := 4
	if transport == overTCP6 {
		ip = 16
	}
	addresses := make([]byte, 2*ip+4) // of client and server, and their ports
	if _, err := io.ReadFull(r, addresses); err != nil {
		return nil, fmt.Errorf("reading its addresses: %w", err)
	}
	from, _ := netip.AddrFromSlice(addresses[:ip])
	port := binary.BigEndian.Uint16(addresses[2*ip:])
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(from.Unmap(), port)), nil
}

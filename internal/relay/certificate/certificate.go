// Package certificate keeps what the relay shows in TLS: a certificate and key from
// files, read again when they change, or one that it makes itself, keeps, and renews
// before it ends. The clients are devices, so a lowest version below TLS 1.2 is possible,
// with the cipher suites of that time.
package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// Options say where the certificate comes from: File, or Dir and Names.
type Options struct {
	File string // PEM: the server's certificate first, then those between it and the root
	Key  string // PEM; "": the key is in File too

	// Dir is where a certificate is made and kept, in the file self-made.pem that only
	// this user can read. It must be as ownfile.MakeDir has it.
	Dir string
	// Names are host names and IP addresses of the certificate that is made, at least
	// one. When they are others than those of the one that is kept, it is made again.
	Names []string

	// Warn is told of what works and will not for long, or not for all: a changed file
	// that cannot be used, so that the certificate from before stays; one that has ended;
	// a key that others can read. It may be called concurrently. Nil: no one is told.
	Warn func(error)
	Now  func() time.Time // nil: time.Now
}

// maxFile is the size in octets of a file that is read.
const maxFile = 1 << 20

// lookPause is the least time between two looks for a changed file.
const lookPause = time.Second

// Certificate is what listeners show. Its methods are safe for concurrent use.
type Certificate struct {
	opts Options

	mu     sync.Mutex // guards what follows
	now    *tls.Certificate
	looked time.Time
	stamps []stamp // of the files, when they were read
}

// stamp tells one state of a file from another.
type stamp struct {
	info os.FileInfo // nil: it cannot be looked at
}

func (s stamp) same(o stamp) bool {
	if s.info == nil || o.info == nil {
		return s.info == o.info
	}
	return os.SameFile(s.info, o.info) && s.info.Size() == o.info.Size() && s.info.ModTime().Equal(o.info.ModTime())
}

// Open reads the certificate, or makes it. The error names the file.
func Open(ctx context.Context, o Options) (*Certificate, error) {
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.File == "" && (o.Dir == "" || len(o.Names) == 0) {
		return nil, errors.New("a certificate needs a file, or a directory and names")
	}
	c := &Certificate{opts: o}
	if o.File == "" {
		if err := ownfile.MakeDir(o.Dir); err != nil {
			return nil, fmt.Errorf("keeping a certificate: %w", err)
		}
	}
	if err := c.Reload(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Reload reads the files again, and makes the certificate again when it is self-made and
// ends soon. After an error the one from before stays.
func (c *Certificate) Reload(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reload(ctx)
}

func (c *Certificate) reload(ctx context.Context) error {
	stamps := c.look()
	var read *tls.Certificate
	var err error
	if c.opts.File == "" {
		read, err = c.selfMade(ctx)
		stamps = c.look()
	} else {
		read, err = c.read(ctx)
	}
	c.stamps, c.looked = stamps, c.opts.Now()
	if err != nil {
		return err
	}
	c.now = read
	return nil
}

// look is the state of the files.
func (c *Certificate) look() []stamp {
	var stamps []stamp
	for _, name := range []string{c.opts.File, c.opts.Key, c.kept()} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			info = nil
		}
		stamps = append(stamps, stamp{info})
	}
	return stamps
}

// kept is the file of a self-made certificate, "" for one from files.
func (c *Certificate) kept() string {
	if c.opts.File != "" {
		return ""
	}
	return filepath.Join(c.opts.Dir, "self-made.pem")
}

// read reads a certificate and its key from their files.
func (c *Certificate) read(ctx context.Context) (*tls.Certificate, error) {
	chain, err := ownfile.ReadTrusted(ctx, c.opts.File, maxFile)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	name, key := c.opts.File, chain
	if c.opts.Key != "" {
		name = c.opts.Key
		if key, err = ownfile.ReadTrusted(ctx, name, maxFile); err != nil {
			return nil, fmt.Errorf("reading the key of the certificate: %w", err)
		}
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate %s with the key %s: %w", c.opts.File, name, err)
	}
	if info, err := os.Stat(name); err == nil && exposed(info) {
		c.opts.Warn(fmt.Errorf("everyone can read the key %s: chmod o-r it", name))
	}
	switch now := c.opts.Now(); {
	case now.After(pair.Leaf.NotAfter):
		c.opts.Warn(fmt.Errorf("the certificate %s ended on %s", c.opts.File, pair.Leaf.NotAfter.Format(time.DateOnly)))
	case now.Before(pair.Leaf.NotBefore):
		c.opts.Warn(fmt.Errorf("the certificate %s begins on %s", c.opts.File, pair.Leaf.NotBefore.Format(time.DateOnly)))
	}
	return &pair, nil
}

// exposed reports a file that everyone can read. Windows has no such bit.
func exposed(info os.FileInfo) bool { return os.PathSeparator == '/' && info.Mode().Perm()&0o004 != 0 }

// current is the certificate for a handshake, read again when its files have changed.
func (c *Certificate) current(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.opts.Now()
	if since := now.Sub(c.looked); since >= 0 && since < lookPause {
		return c.now, nil
	}
	c.looked = now
	due := c.opts.File == "" && c.isDue(c.now.Leaf)
	if !due && slices.EqualFunc(c.look(), c.stamps, stamp.same) {
		return c.now, nil
	}
	if err := c.reload(hello.Context()); err != nil {
		c.opts.Warn(fmt.Errorf("the certificate from before stays in use: %w", err))
	}
	return c.now, nil
}

// Leaf is the server's certificate that is shown now.
func (c *Certificate) Leaf() *x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now.Leaf
}

// Config is for a server whose clients have at least TLS of version lowest, such as
// tls.VersionTLS10; 0 is the least of crypto/tls itself. With 1.0 and 1.1 it has the cipher suites of devices of
// that time: RSA key exchange and 3DES too, RC4 never (RFC 7465). Such a connection can be
// read by who records it and gets the key later, and it is protected by SHA-1: it keeps a
// password from passers-by, no more.
func (c *Certificate) Config(lowest uint16) *tls.Config {
	config := &tls.Config{GetCertificate: c.current, MinVersion: lowest}
	if lowest == tls.VersionTLS10 || lowest == tls.VersionTLS11 {
		// Named, because those of Go's default depend on GODEBUG (tlsrsakex, tls3des).
		config.CipherSuites = suites()
	}
	return config
}

// suites are all that crypto/tls has for TLS 1.0 to 1.2, without RC4.
func suites() []uint16 {
	var all []uint16
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		switch suite.ID {
		case tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA:
		default:
			all = append(all, suite.ID)
		}
	}
	return all
}

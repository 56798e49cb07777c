package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/smtpsend/smtpsend/internal/relay/admission"
	"github.com/smtpsend/smtpsend/internal/relay/certificate"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/relay/sender"
	"github.com/smtpsend/smtpsend/internal/relay/users"
)

// rules are what a settings file says. They do not change.
type rules struct {
	file      *relayfile.File
	hostname  string
	table     *admission.Table
	senders   *sender.Rules
	users     *users.Users // nil: there are none
	listeners map[string]*relayfile.Listener
}

// newRules makes the rules of a file. Users whose file is the same are kept, with what
// they remember, and read again.
func (r *Relay) newRules(ctx context.Context, f *relayfile.File) (*rules, error) {
	n := &rules{
		file: f, hostname: cmp.Or(f.Hostname, r.opts.Hostname), table: admission.New(f),
		senders: sender.New(f, r.opts.Domain, r.opts.Mailbox), listeners: map[string]*relayfile.Listener{},
	}
	for i := range f.Listeners {
		n.listeners[keyOf(&f.Listeners[i])] = &f.Listeners[i]
	}
	if f.UsersFile == "" {
		return n, nil
	}
	var err error
	if old := r.rules.Load(); old != nil && old.users != nil && old.file.UsersFile == f.UsersFile {
		n.users, err = old.users, old.users.Reload(ctx)
	} else {
		warn := func(err error) { r.opts.Warn("users file: the users from before stay in use: " + err.Error()) }
		n.users, err = users.Open(ctx, users.Options{Path: f.UsersFile, Warn: warn, Sleep: r.opts.sleep})
	}
	if err != nil {
		return nil, fmt.Errorf("line %d: %s: %w", f.LineOf("users_file"), "users_file", err)
	}
	return n, nil
}

// warnings are what holds and is unwise.
func (n *rules) warnings() (list []string) {
	for _, p := range n.file.Warnings {
		list = append(list, p.String())
	}
	if n.users == nil {
		return list
	}
	for _, p := range n.users.Warnings() {
		list = append(list, fmt.Sprintf("users file: %v", p))
	}
	for _, c := range n.file.Clients {
		if c.User != "" && !n.users.Has(c.User) {
			list = append(list, fmt.Sprintf("line %d: client %s: the users file has no user %q, who cannot sign in until it has", c.Line, c.Name, c.User))
		}
	}
	return list
}

// Reload reads the settings file, the users file and the certificates again. Either all
// of it is in force when it returns, or, after an error, all is as it was; the error says
// what is wrong, with the line. No connection is refused or cut: a listener that is no
// longer in the file accepts no more, and its clients go on as the new file lets them.
// Reloads are done one after the other.
func (r *Relay) Reload(ctx context.Context) error {
	r.reloading.Lock()
	defer r.reloading.Unlock()
	if r.ended {
		return ErrEnded
	}
	f, err := r.opts.Read(ctx)
	if err != nil {
		return err
	}
	next, err := r.newRules(ctx, f)
	if err != nil {
		return err
	}
	opened, err := r.open(ctx, f)
	if err != nil {
		return err
	}
	r.rules.Store(next)
	r.apply(f, opened)
	for _, w := range next.warnings() {
		r.opts.Warn(w)
	}
	for name := range r.opts.Inherited {
		r.opts.Warn(fmt.Sprintf("the service manager has opened a socket %q, and no listener has it: who connects to it waits for ever", name))
	}
	return nil
}

// prepared is what a listener of a new file needs and can fail.
type prepared struct {
	port        *port // that is there or was opened
	isNew       bool
	certificate *certificate.Certificate // nil: without TLS
}

// open opens what a new file needs, for each of its listeners. Nothing is open after an
// error.
func (r *Relay) open(ctx context.Context, f *relayfile.File) (list []prepared, err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, p := range list {
			inherited := p.port.entry.Load().Socket != ""
			switch {
			case p.isNew && inherited: // it could not be opened again
				r.spare[p.port.key] = p.port
			case p.isNew:
				err = errors.Join(err, p.port.socket.Close())
			}
		}
	}()
	for i := range f.Listeners {
		l := &f.Listeners[i]
		p := prepared{port: r.ports[keyOf(l)]}
		if p.certificate, err = r.certificateOf(ctx, p.port, f, l); err != nil {
			return list, fmt.Errorf("line %d: %s: %w", l.Line, l.Address, err)
		}
		if p.port == nil {
			if p.port, err = r.openPort(ctx, l); err != nil {
				return list, fmt.Errorf("line %d: %s: %w", l.Line, l.Address, err)
			}
			p.isNew = true
		}
		list = append(list, p)
	}
	return list, nil
}

// certificateOf is what a listener shows; nil where it has no TLS. One whose files are the
// same stays, and is read again.
func (r *Relay) certificateOf(ctx context.Context, p *port, f *relayfile.File, l *relayfile.Listener) (*certificate.Certificate, error) {
	if !l.OffersTLS() {
		return nil, nil
	}
	from := certificateSource{l.Certificate, l.Key, cmp.Or(f.Hostname, r.opts.Hostname)}
	if p != nil && p.shown.certificate != nil && p.shown.from == from {
		return p.shown.certificate, p.shown.certificate.Reload(ctx)
	}
	return certificate.Open(ctx, certificate.Options{
		File: from.file, Key: from.key, Dir: r.opts.CertificateDir, Names: []string{from.name},
		Warn: func(err error) { r.opts.Warn(fmt.Sprintf("%s: %v", l.Address, err)) },
	})
}

// apply puts a file in force whose listeners are open.
func (r *Relay) apply(f *relayfile.File, opened []prepared) {
	kept := map[string]*port{}
	for i, p := range opened {
		l := &f.Listeners[i]
		from := certificateSource{l.Certificate, l.Key, cmp.Or(f.Hostname, r.opts.Hostname)}
		p.port.configure(l, shown{p.certificate, from})
		kept[p.port.key] = p.port
		if p.isNew {
			r.opts.Logger.Info("listening", "listener", l.Address.String(), "at", p.port.socket.Addr().String(), "policy", string(l.Policy))
		}
		if p.isNew && r.run != nil {
			r.start(p.port)
		}
	}
	r.removed = slices.DeleteFunc(r.removed, (*port).isOver)
	for key, p := range r.ports {
		if kept[key] == nil {
			p.remove()
			r.opts.Logger.Info("closed", "listener", p.entry.Load().Address.String())
			r.removed = append(r.removed, p)
		}
	}
	r.ports = kept
}

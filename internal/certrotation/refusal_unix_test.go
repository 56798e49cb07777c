//go:build unix

package certrotation_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/certrotation"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/graph"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// TestRefusals: what a rotation does not do, it says, and changes nothing.
func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		verb   string
		change func(*place, *certrotation.Options)
		want   error
	}{
		"no next pair": {"finish", func(*place, *certrotation.Options) {}, certrotation.ErrNoNext},
		"an issuer's":  {"begin", func(_ *place, o *certrotation.Options) { o.Chain = true }, certrotation.ErrIssued},
		"no object ID": {"upload", func(_ *place, o *certrotation.Options) { o.ObjectID = "" }, certrotation.ErrObjectID},
		"an ended certificate": {"upload", func(_ *place, o *certrotation.Options) {
			o.Now = func() time.Time { return time.Now().AddDate(2, 0, 0) }
		}, certrotation.ErrEnded},
		"a directory that waits": {"upload", func(_ *place, o *certrotation.Options) { o.Wait = 0 }, certrotation.ErrNotThere},
		"the present as next":    {"begin", func(_ *place, o *certrotation.Options) { o.Next = o.Present.Certificate }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, "PEM", sandbox.Options{GraphDelay: 1000})
			a, err := p.account()
			if err != nil {
				t.Fatal(err)
			}
			o, before := p.options(a, nil), p.leaf(t)
			tt.change(p, &o)
			if err := act(t.Context(), tt.verb, o); err == nil || (tt.want != nil && !errors.Is(err, tt.want)) {
				t.Errorf("got %v", err)
			}
			if p.leaf(t) != before {
				t.Error("the present pair was changed")
			}
			p.mail(t)
		})
	}
}

// TestNotUploaded: a next pair that Entra ID does not know is not put in place.
func TestNotUploaded(t *testing.T) {
	p := newPlace(t, "PEM", sandbox.Options{})
	p.run(t, "begin", 0)
	a, err := p.account()
	if err != nil {
		t.Fatal(err)
	}
	before := p.leaf(t)
	err = act(t.Context(), "finish", p.options(a, nil))
	if refused, ok := errors.AsType[*entra.Error](err); !ok || !refused.RefusesCredential() {
		t.Errorf("got %v", err)
	}
	const words = "used to sign the client assertion is not registered" // no word of it is taken out
	if !strings.Contains(err.Error(), words) {
		t.Errorf("%v does not have the words %q", err, words)
	}
	if p.leaf(t) != before {
		t.Error("it was put in place")
	}
}

// TestGraphThatRefuses leaves the present pair, and mail goes on.
func TestGraphThatRefuses(t *testing.T) {
	p := newPlace(t, "PEM", sandbox.Options{})
	a, err := p.account()
	if err != nil {
		t.Fatal(err)
	}
	p.ObjectID = "00000000-0000-0000-0000-000000000000"
	err = act(t.Context(), "upload", p.options(a, nil))
	if refused, ok := errors.AsType[*graph.Error](err); !ok || refused.Code != "Request_ResourceNotFound" {
		t.Errorf("got %v", err)
	}
	p.mail(t)
	p.ObjectID = p.box.Credentials().Application().RegistrationID() // the mistake is corrected
	if err := act(t.Context(), "upload", p.options(a, nil)); err != nil {
		t.Error(err)
	}
	if n := len(p.box.Credentials().Application().Certificates()); n != 2 {
		t.Errorf("%d certificates", n)
	}
	p.mail(t)
}

func TestOneAtATime(t *testing.T) {
	p := newPlace(t, "PEM", sandbox.Options{})
	a, err := p.account()
	if err != nil {
		t.Fatal(err)
	}
	r, err := certrotation.Open(p.options(a, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := certrotation.Open(p.options(a, nil)); !errors.Is(err, certrotation.ErrBusy) {
		t.Errorf("got %v", err)
	}
}

// TestALinkIsRefused before anything is made: Kubernetes' secrets are links.
func TestALinkIsRefused(t *testing.T) {
	p := newPlace(t, "PEM", sandbox.Options{})
	if err := os.Rename(p.Files.Certificate, p.Files.Certificate+".real"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(p.Files.Certificate+".real", p.Files.Certificate); err != nil {
		t.Fatal(err)
	}
	a, err := p.account()
	if err != nil {
		t.Fatal(err)
	}
	_, err = certrotation.Open(p.options(a, nil))
	var unsafe *ownfile.Error
	if !errors.As(err, &unsafe) {
		t.Errorf("got %v", err)
	}
}

// TestALongRun sees a certificate that was rotated, and the old one removed, while it ran.
func TestALongRun(t *testing.T) {
	p := newPlace(t, "PEM", sandbox.Options{})
	relay, err := p.account()
	if err != nil {
		t.Fatal(err)
	}
	old, err := relay.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	relay.Invalidate(old)
	first := p.box.Credentials().Application().Certificates()[0]
	p.run(t, "upload", 0)
	if !p.box.Credentials().Application().RemoveCertificate(first.Thumbprint) {
		t.Fatal("the old one was not registered")
	}
	token, err := relay.Token(t.Context())
	if err != nil || token.AccessToken == "" {
		t.Errorf("the relay stops: %v", err)
	}
}

// TestFilesOfOthersAreRefused: where others may make files, they could have put a next pair
// there, which Graph would be asked to add, or a state, by which keys would be removed.
func TestFilesOfOthersAreRefused(t *testing.T) {
	type plant func(name string) error
	plants := map[string]plant{
		"all may write": func(name string) error { return os.Chmod(name, 0o666) },
		"a link": func(name string) error {
			return errors.Join(os.Rename(name, name+".real"), os.Symlink(name+".real", name))
		},
		"a second name": func(name string) error { return os.Link(name, name+".other") },
	}
	if os.Geteuid() == 0 {
		plants["another user"] = func(name string) error { return os.Chown(name, 65534, 65534) }
	}
	for what, plant := range plants {
		for _, file := range []string{"next", "state"} {
			p := newPlace(t, "PEM", sandbox.Options{})
			foreign, err := p.make()
			if err != nil {
				t.Fatal(err)
			}
			name, text := p.next(), foreign.PEM().Reveal()
			if file == "state" {
				name, text = p.Files.Certificate+".rotation.json", `{"version":1,"object_id":"`+p.ObjectID+`","old":[{"sha256":"AA","sha1":"BB","key_id":"CC"}]}`
			}
			if err := errors.Join(os.WriteFile(name, []byte(text), 0o600), plant(name)); err != nil {
				t.Fatal(err)
			}
			a, err := p.account()
			if err != nil {
				t.Fatal(err)
			}
			r, err := certrotation.Open(p.options(a, nil))
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Upload(t.Context())
			if unsafe, ok := errors.AsType[*ownfile.Error](err); !ok {
				t.Errorf("%s, %s: %v, %v", file, what, unsafe, err)
			}
			if n := len(p.box.Credentials().Application().Certificates()); n != 1 {
				t.Errorf("%s, %s: %d certificates are registered", file, what, n)
			}
			if file == "next" {
				_, err = r.Begin(t.Context())
				_, again := r.Finish(t.Context())
				if err == nil || again == nil {
					t.Errorf("%s: it is used: %v, %v", what, err, again)
				}
			}
			r.Close()
		}
	}
}

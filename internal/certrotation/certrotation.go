// Package certrotation renews the certificate by which an application proves who it is,
// without a moment in which mail could not be submitted.
//
// The next pair is in a file of its own beside the present one. From the moment that it is
// there, token requests take it as soon as Entra ID refuses the present one. A rotation
// goes like this:
//
//  1. [Rotation.Begin] makes the next pair, and its public part for the upload.
//  2. People upload it, or Graph is asked to add it, with a proof by the present one.
//  3. [Rotation.Finish] proves the next one by a token and a sign-in, keeps the present
//     one as .old-YYYYMMDD, and puts the next one in its place.
//
// [Rotation.Upload] does all of it, and a later run of it removes the old certificate from
// the application. Each step finds out from the files what the steps before have done. A
// run that is killed anywhere leaves files by which mail goes on, and the next run ends it.
//
// Files are replaced by rename. Where the key has a file of its own, the certificate's file
// has both certificates while the key changes: the reader takes the one that fits.
package certrotation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// The reasons for which a rotation does not begin or end.
var (
	ErrBusy = errors.New("another rotation of this certificate runs")
	// ErrNoNext says that there is no next pair to finish with.
	ErrNoNext = errors.New("there is no next pair")
	// ErrIssued says that the certificate came from an issuer, who gives the next one, too.
	ErrIssued = errors.New("the application trusts an issuer: the next certificate has to come from there")
	// ErrForm says that the next file is written in another way than the present one.
	ErrForm = errors.New("is in another form than the present file, in whose place it is to be put")
	// ErrEnded says that Graph takes no proof by the present certificate any more.
	ErrEnded = errors.New("the present certificate has ended: Microsoft Graph takes a new one only with a proof by one that is valid, so upload the next one by hand")
	// ErrNotThere says that the directory has not told the token endpoint in time.
	ErrNotThere = errors.New("the next certificate is not known to Entra ID yet: run this again later")
	// ErrObjectID says that the object ID of the app registration is not known.
	ErrObjectID = errors.New("the object ID of the app registration is not known, and the application may not read it")
)

// Options say what is rotated, and how it is proven. Present, Next, Make, Accepted,
// Prove and Refuses are required; Directory, Wait and Pause for Upload.
type Options struct {
	Present keypair.Files
	Next    string                        // the file of the next pair
	Make    func() (*keypair.Pair, error) // makes the next pair
	Chain   bool                          // the application trusts an issuer and a subject name

	// Accepted asks for a token with a pair.
	Accepted func(context.Context, *keypair.Pair) error
	// Prove asks for a token with a pair, and signs in with it. No mail is sent.
	Prove func(context.Context, *keypair.Pair) error
	// Refuses reports an error of Accepted by which Entra ID does not know the pair.
	Refuses func(error) bool

	Directory Directory // of Upload
	// ObjectID is that of the app registration; "": that of an earlier run, or else
	// Directory is asked.
	ObjectID string
	Wait     time.Duration                              // until the directory knows a new key
	Pause    func(context.Context, time.Duration) error // between two requests; it ends with the context
	Now      func() time.Time                           // nil: time.Now

	// Step, when set, is told the name of each step before it is done. Its error ends the
	// run there.
	Step func(name string) error
}

// Rotation is one run. It is not safe for concurrent use; runs of several processes
// exclude each other.
type Rotation struct {
	o     Options
	lock  *ownfile.Lock
	ended bool // the end of a rotation that was killed: this run does no more
}

// Open begins a run. It refuses files that could not be replaced in the end, and ErrBusy
// while another process has one. Close ends it.
func Open(o Options) (*Rotation, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Step == nil {
		o.Step = func(string) error { return nil }
	}
	for _, name := range []string{o.Present.Certificate, o.Present.Key} {
		if name == "" {
			continue
		}
		if err := ownfile.CheckReplaceable(name); err != nil {
			return nil, fmt.Errorf("a rotation replaces the file: %w", err)
		}
	}
	if sameFile(o.Next, o.Present.Certificate) || sameFile(o.Next, o.Present.Key) {
		return nil, fmt.Errorf("%s is the present file: the next pair needs a file of its own", o.Next)
	}
	dir, name := filepath.Split(o.Present.Certificate)
	lock, locked, err := ownfile.TryLock(filepath.Join(dir, "."+name+".lock"))
	switch {
	case err != nil:
		return nil, err
	case !locked:
		return nil, ErrBusy
	}
	if err := sweep(o); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return &Rotation{o: o, lock: lock}, nil
}

// sweep removes the temporary files of a run that was killed while it wrote: they may hold a
// private key.
func sweep(o Options) error {
	files := []string{o.Present.Certificate, o.Next}
	if o.Present.Key != "" {
		files = append(files, o.Present.Key)
	}
	for _, file := range files {
		dir, own := filepath.Split(file)
		if dir == "" {
			dir = "."
		}
		isOurs := func(name string) bool {
			return slices.Contains([]string{own, Public(own), own + stateSuffix}, name) || strings.HasPrefix(name, own+oldMark)
		}
		if err := ownfile.RemoveStrays(dir, isOurs); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Close lets others rotate.
func (r *Rotation) Close() error { return r.lock.Unlock() }

// Begun is a next pair that waits for its upload.
type Begun struct {
	Present, Next *keypair.Pair
	Public        string // file of the next one's public part
	Existed       bool   // it was made by an earlier run, or by someone else
	// Ended says that no pair was made: the run has ended a rotation that was killed after
	// its swap. Present is the new one, and Next is nil.
	Ended bool
}

// Begin makes the next pair, in the form and with the rights of the present one, and the
// file of its public part. One that is there already is kept, unless it has ended: that one
// is moved aside, to .old-YYYYMMDD. Where a rotation was killed
// after its swap, that one is ended, and no other begins.
func (r *Rotation) Begin(ctx context.Context) (*Begun, error) {
	present, err := r.present(ctx)
	if err != nil {
		return nil, err
	}
	if r.ended {
		return &Begun{Present: present, Ended: true}, nil
	}
	next, err := r.usableNext(ctx)
	switch {
	case err == nil:
		b := &Begun{Present: present, Next: next, Public: Public(r.o.Next), Existed: true}
		return b, r.writePublic(next)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case r.o.Chain:
		return nil, ErrIssued
	}
	made, err := r.o.Make()
	if err != nil {
		return nil, err
	}
	text, err := made.Like(present)
	if err != nil {
		return nil, err
	}
	if err := r.do("make-next", func() error { return ownfile.WriteLike(r.o.Next, like(r.o.Present), []byte(text.Reveal())) }); err != nil {
		return nil, err
	}
	if next, err = r.next(ctx); err != nil {
		return nil, err
	}
	return &Begun{Present: present, Next: next, Public: Public(r.o.Next)}, r.writePublic(next)
}

// Public is the file of a pair's public part.
func Public(name string) string { return name + ".cer" }

// writePublic writes the certificate for all to read: people fetch it for the upload.
func (r *Rotation) writePublic(p *keypair.Pair) error {
	return r.do("write-public", func() error { return ownfile.Replace(Public(r.o.Next), p.CertificatePEM(), 0o644) })
}

// present is the present pair, after a swap that was killed has been ended.
func (r *Rotation) present(ctx context.Context) (*keypair.Pair, error) {
	present, err := keypair.Read(ctx, r.o.Present)
	if err != nil {
		return nil, err
	}
	if _, _, err := present.Signer(); err != nil {
		return nil, err
	}
	next, err := r.next(ctx)
	if err == nil && next.Leaf().Equal(present.Leaf()) {
		r.ended = true
		return present, r.tidy(next)
	}
	return present, nil
}

// usableNext is the next pair. One that has ended cannot take the place of the present one
// any more: it is moved aside, and the error is fs.ErrNotExist.
func (r *Rotation) usableNext(ctx context.Context) (*keypair.Pair, error) {
	next, err := r.next(ctx)
	if err != nil || !r.o.Now().After(next.Leaf().NotAfter) || r.o.Chain {
		return next, err
	}
	aside, err := freeSuffix(r.o.Next, r.o.Now(), func(suffix string) bool { return !exists(r.o.Next + suffix) })
	if err != nil {
		return nil, err
	}
	err = r.do("move-ended", func() error { return os.Rename(r.o.Next, r.o.Next+aside) })
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%s has ended: %w", r.o.Next, fs.ErrNotExist)
}

// next is the next pair: fs.ErrNotExist when there is none. One that others have put there
// is refused: it would be uploaded, and they could sign in as the application.
func (r *Rotation) next(ctx context.Context) (*keypair.Pair, error) {
	if err := ownfile.CheckBeside(r.o.Next, like(r.o.Present)); err != nil {
		return nil, err
	}
	p, err := keypair.Read(ctx, keypair.Files{Certificate: r.o.Next, Password: r.o.Present.Password})
	if err != nil {
		return nil, err
	}
	if err := ownfile.CheckBeside(r.o.Next, like(r.o.Present)); err != nil {
		return nil, err
	}
	_, _, err = p.Signer()
	return p, err
}

// like is the file whose owner and mode the next pair has.
func like(present keypair.Files) string { return cmp.Or(present.Key, present.Certificate) }

func (r *Rotation) do(name string, f func() error) error {
	if err := r.o.Step(name); err != nil {
		return err
	}
	return f()
}

// exists reports a name that is taken.
func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// sameFile reports two names of one file.
func sameFile(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

package certrotation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// Finished is a rotation whose next pair is in the place of the present one.
type Finished struct {
	Old, Now *keypair.Pair // Old is nil when the swap was done by an earlier run, which was killed
	Kept     string        // file of the old certificate, and of its key unless that had its own
}

// Finish proves the next pair and puts it in the place of the present one. It is ErrNoNext
// when there is none; else the error is that of the proof, or of the file system.
func (r *Rotation) Finish(ctx context.Context) (*Finished, error) {
	present, err := r.present(ctx)
	if err != nil {
		return nil, err
	}
	if r.ended {
		return &Finished{Now: present}, nil
	}
	next, err := r.next(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %s does not exist; smtpsend cert rotate makes it", ErrNoNext, r.o.Next)
	case err != nil:
		return nil, err
	}
	return r.swap(ctx, present, next)
}

func (r *Rotation) swap(ctx context.Context, present, next *keypair.Pair) (*Finished, error) {
	if r.o.Present.Key == "" && !next.SameForm(present) {
		return nil, fmt.Errorf("%s %w: %s, not %s", r.o.Next, ErrForm, next.Form(), present.Form())
	}
	if err := r.do("prove", func() error { return r.o.Prove(ctx, next) }); err != nil {
		return nil, err
	}
	kept, err := r.keep(ctx, present)
	if err != nil {
		return nil, err
	}
	if err := r.replace(present, next); err != nil {
		return nil, err
	}
	return &Finished{Old: present, Now: next, Kept: kept}, r.tidy(next)
}

// maxKept is how many old pairs of one day are kept.
const maxKept = 99

// oldMark is between the name of a file and the day on which it was kept.
const oldMark = ".old-"

// keep copies the present pair to .old-YYYYMMDD.
func (r *Rotation) keep(ctx context.Context, present *keypair.Pair) (string, error) {
	isKept := func(kept keypair.Files) bool { // by a run that was killed
		p, err := keypair.Read(ctx, kept)
		return err == nil && p.Leaf().Equal(present.Leaf())
	}
	suffix, err := freeSuffix(r.o.Present.Certificate, r.o.Now(), func(suffix string) bool {
		kept := keptAs(r.o.Present, suffix)
		isTaken := exists(kept.Certificate) && !r.half(kept, present)
		isKeyTaken := kept.Key != "" && exists(kept.Key) && !exists(kept.Certificate)
		return isKept(kept) || (!isTaken && !isKeyTaken)
	})
	if err != nil {
		return "", err
	}
	kept := keptAs(r.o.Present, suffix)
	if isKept(kept) {
		return kept.Certificate, nil
	}
	return kept.Certificate, r.do("keep-old", func() error { return r.copyPair(ctx, present, kept) })
}

// keptAs are the files of an old pair.
func keptAs(files keypair.Files, suffix string) keypair.Files {
	kept := keypair.Files{Certificate: files.Certificate + suffix, Password: files.Password}
	if files.Key != "" {
		kept.Key = files.Key + suffix
	}
	return kept
}

// freeSuffix is the first suffix for a file on that day, .old-YYYYMMDD or with a number after
// it, that is free.
func freeSuffix(file string, day time.Time, isFree func(suffix string) bool) (string, error) {
	today := oldMark + day.Format("20060102")
	for n := 1; n <= maxKept; n++ {
		suffix := today
		if n > 1 {
			suffix += fmt.Sprintf("-%d", n)
		}
		if isFree(suffix) {
			return suffix, nil
		}
	}
	return "", fmt.Errorf("%s%s and %d more exist: remove some", file, today, maxKept-1)
}

// half reports that only the certificate was kept, by a run that was killed before it kept
// the key.
func (r *Rotation) half(kept keypair.Files, present *keypair.Pair) bool {
	if kept.Key == "" || exists(kept.Key) {
		return false
	}
	data, err := ownfile.ReadAll(context.Background(), kept.Certificate, maxFile)
	return err == nil && string(data) == string(present.CertificatePEM())
}

// maxFile is the size of a pair's file at most, in octets.
const maxFile = 1 << 20

func (r *Rotation) copyPair(ctx context.Context, present *keypair.Pair, kept keypair.Files) error {
	files := r.o.Present
	if files.Key == "" {
		data, err := ownfile.ReadSecret(ctx, files.Certificate, maxFile)
		if err != nil {
			return err
		}
		return ownfile.WriteLike(kept.Certificate, files.Certificate, data)
	}
	key, err := ownfile.ReadSecret(ctx, files.Key, maxFile)
	if err != nil {
		return err
	}
	if !exists(kept.Certificate) {
		if err := ownfile.WriteLike(kept.Certificate, files.Certificate, present.CertificatePEM()); err != nil {
			return err
		}
	}
	return r.do("keep-old-key", func() error { return ownfile.WriteLike(kept.Key, files.Key, key) })
}

// replace puts the next pair in the place of the present one. At each moment there is a
// pair that fits.
func (r *Rotation) replace(present, next *keypair.Pair) error {
	files := r.o.Present
	if files.Key == "" {
		data, err := ownfile.ReadSecret(context.Background(), r.o.Next, maxFile)
		if err != nil {
			return err
		}
		return r.do("swap", func() error { return ownfile.ReplaceLike(files.Certificate, data) })
	}
	key, err := next.KeyLike(present)
	if err != nil {
		return err
	}
	err = r.do("swap-both", func() error { return ownfile.ReplaceLike(files.Certificate, next.ChainPEM(present)) })
	if err != nil {
		return err
	}
	return r.do("swap-key", func() error { return ownfile.ReplaceLike(files.Key, []byte(key.Reveal())) })
}

// tidy ends a swap: the next pair is in its place, and no longer beside it.
func (r *Rotation) tidy(next *keypair.Pair) error {
	if r.o.Present.Key != "" {
		err := r.do("swap-certificate", func() error { return ownfile.ReplaceLike(r.o.Present.Certificate, next.ChainPEM()) })
		if err != nil {
			return err
		}
	}
	err := r.do("move-public", func() error {
		if err := os.Remove(Public(r.o.Next)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return ownfile.Replace(Public(r.o.Present.Certificate), next.CertificatePEM(), 0o644)
	})
	if err != nil {
		return err
	}
	return r.do("remove-next", func() error {
		if err := os.Remove(r.o.Next); err != nil {
			return err
		}
		return ownfile.SyncDir(filepath.Dir(r.o.Next))
	})
}

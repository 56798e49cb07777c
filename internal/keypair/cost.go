package keypair

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"
)

// What decrypting a file may cost at most. The file says the cost, and whoever made it may
// have meant to occupy this process for years, or to take all memory.
const (
	// maxRounds is how often a hash is computed: OpenSSL's default is 2,048, and 600,000
	// are advised in 2023 (OWASP). 5 million take some seconds.
	maxRounds = 5_000_000
	// maxScrypt is N * r * p of scrypt (RFC 7914 2): 128 MiB. OpenSSL's default is an
	// eighth of it.
	maxScrypt = 1 << 20
	// maxKeyOctets is the size of a private key in PKCS #8: an RSA key of 16,384 bits has
	// 9,300. The time of its checks grows with the square of its length.
	maxKeyOctets = 12 << 10
	// maxDecryption is the time for a file of PKCS #12, whose encrypted parts may hold more
	// encrypted parts that no one can see before.
	maxDecryption = time.Minute
)

// The reasons for which a file is not decrypted.
var (
	ErrCost    = errors.New("is encrypted in a way that costs too much time or memory to decrypt")
	ErrLongKey = errors.New("has a private key that is longer than an RSA key of 16384 bits")
)

// Objects by which the cost is said.
var (
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidScrypt = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	oidPBE    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1} // and what PKCS #12 has below it
)

// maxDepth is how deep the elements of a file are looked at: PKCS #12 has 16 levels.
const maxDepth = 32

// affordable refuses DER, of PKCS #8 or PKCS #12, whose decryption costs too much.
func affordable(der []byte) error {
	var c cost
	c.add(der, maxDepth)
	if c.rounds > maxRounds || c.scrypt > maxScrypt {
		return ErrCost
	}
	return nil
}

// cost is what the parameters in a file add up to.
type cost struct{ rounds, scrypt float64 }

// add looks at elements, and at what is in them. Those that cannot be read end the list,
// as they do for who decrypts.
func (c *cost) add(der []byte, depth int) {
	all := elements(der)
	if len(all) > 1 {
		c.ofAlgorithm(all[0], all[1])
	}
	if len(all) > 2 && all[0].Tag == asn1.TagSequence && all[1].Tag == asn1.TagOctetString {
		c.rounds += number(all[2]) // MacData (RFC 7292 4)
	}
	if depth == 0 {
		return
	}
	for _, e := range all {
		if e.IsCompound || e.Tag == asn1.TagOctetString {
			c.add(e.Bytes, depth-1)
		}
	}
}

// ofAlgorithm adds an AlgorithmIdentifier: all numbers among the parameters of one that
// derives a key count, also the length of that key.
func (c *cost) ofAlgorithm(name, parameters asn1.RawValue) {
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(name.FullBytes, &oid); err != nil {
		return
	}
	isPBE := len(oid) > len(oidPBE) && slices.Equal(oid[:len(oidPBE)], oidPBE)
	switch {
	case oid.Equal(oidScrypt):
		work := 1.0
		for _, e := range elements(parameters.Bytes) {
			work *= max(number(e), 1)
		}
		c.scrypt += work
	case isPBE, oid.Equal(oidPBKDF2):
		for _, e := range elements(parameters.Bytes) {
			c.rounds += number(e)
		}
	}
}

// elements are those that der begins with.
func elements(der []byte) (all []asn1.RawValue) {
	for len(der) > 0 {
		var e asn1.RawValue
		rest, err := asn1.Unmarshal(der, &e)
		if err != nil {
			break
		}
		all, der = append(all, e), rest
	}
	return all
}

// number is the value of an INTEGER above zero, else 0; of a large one infinity.
func number(e asn1.RawValue) float64 {
	var n int64
	if e.Class != asn1.ClassUniversal || e.Tag != asn1.TagInteger {
		return 0
	}
	if _, err := asn1.Unmarshal(e.FullBytes, &n); err != nil {
		return math.Inf(1)
	}
	return float64(max(n, 0))
}

// opened is what PKCS #12 holds.
type opened struct {
	key    any
	leaf   *x509.Certificate
	others []*x509.Certificate
	err    error
}

// decrypt opens PKCS #12. It ends with ctx and after maxDecryption. What computes on then,
// in a goroutine, nothing can end.
func decrypt(ctx context.Context, data []byte, password string) opened {
	if err := affordable(data); err != nil {
		return opened{err: err}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, maxDecryption, fmt.Errorf("%w: more than %v", ErrCost, maxDecryption))
	defer cancel()
	done := make(chan opened, 1)
	go func() {
		var o opened
		o.err = survived(func() (err error) {
			o.key, o.leaf, o.others, err = pkcs12.DecodeChain(data, password)
			return err
		})
		done <- o
	}()
	select {
	case o := <-done:
		return o
	case <-ctx.Done():
		return opened{err: context.Cause(ctx)}
	}
}

// decryptKey opens an encrypted key of PKCS #8.
func decryptKey(der, password []byte) (key any, err error) {
	if len(der) > maxKeyOctets {
		return nil, ErrLongKey
	}
	if err := affordable(der); err != nil {
		return nil, err
	}
	err = survived(func() (err error) {
		key, _, err = pkcs8.ParsePrivateKey(der, password)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w, or in a way that is not read: %w", ErrWrongPassword, err)
	}
	return key, nil
}

// survived is f, whose panic is an error: those who decrypt do not check that the parts
// of a cipher fit together.
func survived(f func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("its parts do not fit together")
		}
	}()
	return f()
}

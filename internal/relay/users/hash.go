package users

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// hash is that of a password.
type hash interface {
	verify(password []byte) bool
	kind() string
}

// What a hash may ask for. Within it a password costs at most 64 MiB, and about a second.
const (
	minMemory, maxMemory     = 8, 64 << 10 // KiB
	maxPasses, maxLanes      = 16, 8
	maxWork                  = 256 << 10 // KiB times passes
	minSalt, maxSalt         = 8, 64     // octets
	minSum, maxSum           = 16, 64    // octets
	minBcrypt, maxBcryptCost = 10, 14
)

// What new hashes ask for: the first choice of OWASP's Password Storage Cheat Sheet.
const (
	newMemory, newPasses, newLanes = 19 << 10, 2, 1
	newSalt, newSum                = 16, 32
)

// argon is argon2id (RFC 9106).
type argon struct {
	memory, passes uint32 // KiB
	lanes          uint8
	salt, sum      []byte
}

func (a *argon) kind() string { return "argon2id" }

func (a *argon) verify(password []byte) bool {
	sum := argon2.IDKey(password, a.salt, a.passes, a.memory, a.lanes, uint32(len(a.sum)))
	return subtle.ConstantTimeCompare(sum, a.sum) == 1
}

// String is the PHC form (github.com/P-H-C/phc-string-format).
func (a *argon) String() string {
	raw := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.memory, a.passes, a.lanes, raw.EncodeToString(a.salt), raw.EncodeToString(a.sum))
}

// makeHash is a new hash of a password.
func makeHash(password string) *argon {
	a := &argon{memory: newMemory, passes: newPasses, lanes: newLanes, salt: make([]byte, newSalt)}
	_, _ = rand.Read(a.salt) // which does not fail
	a.sum = argon2.IDKey([]byte(password), a.salt, a.passes, a.memory, a.lanes, newSum)
	return a
}

// bcrypted is a bcrypt hash. It does not look at more than 72 octets of a password.
type bcrypted []byte

func (b bcrypted) kind() string { return "bcrypt" }

func (b bcrypted) verify(password []byte) bool {
	if bytes.IndexByte(password, 0) >= 0 { // some of those who made the hash stopped there
		return false
	}
	return bcrypt.CompareHashAndPassword(b, password) == nil
}

// parseHash reads a hash. The error is a predicate of it, and has nothing of it but
// numbers.
func parseHash(text string) (hash, error) {
	switch {
	case strings.HasPrefix(text, "$argon2id$"):
		return parseArgon(strings.Split(text, "$")[2:])
	case strings.HasPrefix(text, "$2a$"), strings.HasPrefix(text, "$2b$"), strings.HasPrefix(text, "$2y$"):
		return parseBcrypt(text)
	case text == "":
		return nil, errors.New("is missing")
	case text[0] != '$':
		return nil, errors.New("is not a hash: a password is never written here")
	}
	return nil, errors.New("is of another kind than argon2id and bcrypt")
}

func parseBcrypt(text string) (hash, error) {
	cost, err := bcrypt.Cost([]byte(text))
	switch {
	case err != nil || len(text) != 60:
		return nil, errors.New("is not a whole bcrypt hash, which has 60 characters")
	case cost > maxBcryptCost:
		return nil, fmt.Errorf("has cost %d, more than %d", cost, maxBcryptCost)
	}
	return bcrypted(text), nil
}

func parseArgon(parts []string) (hash, error) {
	if len(parts) != 4 || parts[0] != "v="+strconv.Itoa(argon2.Version) {
		return nil, errors.New("is not in the form $argon2id$v=19$m=...,t=...,p=...$SALT$HASH")
	}
	a := &argon{}
	var lanes uint32
	figures := strings.Split(parts[1], ",")
	if len(figures) != 3 {
		return nil, errors.New("has other parameters than m, t and p")
	}
	for i, figure := range []struct {
		name     string
		value    *uint32
		min, max uint32
	}{{"m=", &a.memory, minMemory, maxMemory}, {"t=", &a.passes, 1, maxPasses}, {"p=", &lanes, 1, maxLanes}} {
		text, ok := strings.CutPrefix(figures[i], figure.name)
		n, err := strconv.ParseUint(text, 10, 32)
		if !ok || err != nil || uint32(n) < figure.min || uint32(n) > figure.max {
			return nil, fmt.Errorf("has no %s from %d to %d", strings.TrimSuffix(figure.name, "="), figure.min, figure.max)
		}
		*figure.value = uint32(n)
	}
	a.lanes = uint8(lanes)
	if a.memory*a.passes > maxWork {
		return nil, fmt.Errorf("asks for m times t of %d, more than %d", a.memory*a.passes, maxWork)
	}
	if a.memory < minMemory*lanes {
		return nil, fmt.Errorf("has no m of at least %d times p", minMemory)
	}
	var err error
	if a.salt, err = base64.RawStdEncoding.DecodeString(parts[2]); err != nil || len(a.salt) < minSalt || len(a.salt) > maxSalt {
		return nil, fmt.Errorf("has no salt of %d to %d octets", minSalt, maxSalt)
	}
	if a.sum, err = base64.RawStdEncoding.DecodeString(parts[3]); err != nil || len(a.sum) < minSum || len(a.sum) > maxSum {
		return nil, fmt.Errorf("has no hash of %d to %d octets", minSum, maxSum)
	}
	return a, nil
}

// weak reports a cost that was too low years ago.
func (b bcrypted) weak() bool {
	cost, err := bcrypt.Cost(b)
	return err != nil || cost < minBcrypt
}

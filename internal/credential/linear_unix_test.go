//go:build unix

package credential_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/credential"
)

// TestWorkIsLinear looks at texts of the worst kinds, and at texts eight times as
// long. The CPU time may grow 24-fold: what is quadratic takes 64 times as long.
func TestWorkIsLinear(t *testing.T) {
	const short, times = 16 << 10, 8
	units := []string{
		"a", "A1", "eyJ", "eyJhbGciOi.", "dXNlcj", "pass", "password=", "password='", "pass: ", "token=", "token=1a", "secret=abcd1234 ", "\"name\":\"password\",", "name: \"password\"\n",
		"<password>", "<a password=", "--password ", "AUTH PLAIN ", "auth+", "bearer+", "Bearer ", "Basic ", "basic+", "334 \n", "334 VXNlcm5hbWU6\nQUFBQQ==\n", "://a:", "smtp://a:b@c ", "u:p@mail.x.example ",
		"a@b.example:", "curl -u a:bcd ", "-u a:", "login(", "login(\"", "login('a', '", "Password\n--------\n", "Name Value\n---- -----\n", "41", "41 ", "0000: 41 42 43 44 45 46 47 48 ABCDEFGH\n", "0000: ",
		`\\\\"password\\\\": `, `\`, "%41%42", "%2520", "=41=3D\n", "&amp;amp;lt;", "abc8Q~", "sk-", "sk-a1 ", "0.A", "-----BEGIN PRIVATE KEY-----\n", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ== ",
		"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\n", "aaaaaaaaaaaaaaaaaaaaaaaaaa=\n", "cGFzc3dvcmQ9YWJjZGVmZ2hpagpwYXNzd29yZD1hYmNkZWZnaGlq", "x\n\n", "'", "<br>", "Cookie: ",
	}
	for _, unit := range units {
		// The least of several: others use the machine, too.
		few, many := cpu(strings.Repeat(unit, short/len(unit)), 4), cpu(strings.Repeat(unit, times*short/len(unit)), 2)
		if limit := 24 * max(few, 2*time.Millisecond); many > limit {
			t.Errorf("%q: %v for %d octets, %v for %d", unit, few, short, many, times*short)
		}
	}
}

// cpu is the least CPU time that a look at text takes.
func cpu(text string, tries int) time.Duration {
	least := time.Hour
	for range tries {
		before := used()
		f := credential.New(nil)
		f.LookInto(text)
		f.Scrub(text)
		least = min(least, used()-before)
	}
	return least
}

func used() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

package fault_test

import (
	"errors"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
)

func TestParseFault(t *testing.T) {
	f, err := fault.Parse("sendas-denied,mailbox=a@contoso.example,after=2,times=3,share=0.1,stage=mail,delay=3s")
	want := fault.Fault{Name: "sendas-denied", Stage: "mail", Mailbox: "a@contoso.example", After: 2, Times: 3, Share: 0.1, Delay: 3 * time.Second}
	if err != nil || f != want {
		t.Errorf("got %+v, %v", f, err)
	}
	for text, reason := range map[string]string{
		"":                               "unknown name",
		"no-such-fault":                  "unknown name",
		"sendas-denied,after=-1":         `after: "-1" is not a count`,
		"sendas-denied,times=x":          `times: "x" is not a count`,
		"sendas-denied,share=2":          `share: "2" is not above 0 and up to 1`,
		"sendas-denied,share=NaN":        `share: "NaN" is not above 0 and up to 1`,
		"sendas-denied,color=red":        "color: no such option; there are stage, mailbox, after, times, share, delay",
		"sendas-denied,stage=token":      `cannot happen at stage "token"`,
		"secret-wrong,stage=auth":        `cannot happen at stage "auth"`,
		"connection-closed,stage=dial":   `cannot happen at stage "dial"`,
		"xoauth2-missing,stage=greeting": `cannot happen at stage "greeting"`,
		"dns-not-found":                  "no server can cause it",
		"secret-wrong,mailbox=a@b":       "mailbox: it happens before a mailbox is named",
		"tls-expired,mailbox=a@b":        "mailbox: it happens before a mailbox is named",
		"tls-expired,delay=1s":           "delay: it happens at once",
		"slow,delay=-1s":                 `delay: "-1s" is not a duration such as 3s`,
		"wrong-object-id,times=1":        "takes no options: it applies from the start",
	} {
		_, err := fault.Parse(text)
		var wrong *fault.Error
		if !errors.As(err, &wrong) || wrong.Reason != reason || wrong.Text != text {
			t.Errorf("%q: got %v; want %s", text, err, reason)
		}
	}
}

func TestNamesOfFaultsAreExplained(t *testing.T) {
	names := fault.Names()
	for _, name := range names {
		if _, err := fault.Parse(name); err != nil {
			t.Error(err)
		}
		if fault.About(name) == "" {
			t.Errorf("%s: nothing is said about it", name)
		}
	}
	if len(names) < 50 {
		t.Errorf("got %d names: %v", len(names), names)
	}
}

// FuzzParseFault: what is accepted has a name that can be explained.
func FuzzParseFault(f *testing.F) {
	for _, text := range []string{"sendas-denied,mailbox=a@b,after=1,times=2,share=0.5", "slow,stage=auth,delay=1s", "wrong-object-id", ",,=", "reply-lost,stage=data"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		f, err := fault.Parse(text)
		if err == nil && (fault.About(f.Name) == "" || f.After < 0 || f.Times < 0 || f.Share < 0 || f.Share > 1) {
			t.Errorf("%q: got %+v", text, f)
		}
	})
}

func TestFaultsComeAndGoWhileTheSandboxRuns(t *testing.T) {
	s, err := fault.NewSet([]fault.Fault{{Name: "reply-lost"}, {Name: "no-mailbox-grant"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	takes := func(want string) {
		t.Helper()
		if f, _, _ := s.Take("content", ""); f.Name != want {
			t.Errorf("got %q; want %q", f.Name, want)
		}
	}
	takes("reply-lost")
	s.Clear()
	takes("")
	if f, _, _ := s.Take(fault.PointContentKept, ""); f.Name != fault.Garbles8Bit {
		t.Errorf("what a sandbox always does is gone: %q", f.Name)
	}
	if len(s.Setups()) != 1 {
		t.Errorf("the tenant was repaired: %v", s.Setups())
	}
	if err := s.Add(fault.Fault{Name: "sendas-denied", Times: 2}); err != nil {
		t.Fatal(err)
	}
	takes("sendas-denied")
	takes("sendas-denied")
	takes("")
	for name, want := range map[string]string{
		"no-such-fault":    `fault "no-such-fault": unknown name`,
		"no-mailbox-grant": `fault "no-mailbox-grant": applies from the start, and cannot begin later`,
	} {
		if err := s.Add(fault.Fault{Name: name}); err == nil || err.Error() != want {
			t.Errorf("got %v; want %s", err, want)
		}
	}
}

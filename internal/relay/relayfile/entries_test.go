package relayfile_test

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

func TestEntriesAreLinesOfTheFile(t *testing.T) {
	pattern, err := address.ParsePattern("", "*@contoso.com")
	if err != nil {
		t.Fatal(err)
	}
	got, err := relayfile.Entries(relayfile.Client{
		Line: 7, Name: "192.0.2.17", Networks: relayfile.Networks{netip.MustParsePrefix("192.0.2.17/32"), netip.MustParsePrefix("2001:db8::/64")},
		UIDs: []uint32{0, 33}, Senders: []address.Pattern{pattern}, DisplayName: "Scanner: 2nd floor, #4", Mailbox: address.MustParse("a@contoso.com"), Force: true,
		Budget: relayfile.Budget{PerDay: 10}, EightBit: relayfile.EightBitKeep,
	}, relayfile.Client{Name: "1.2", User: "no"})
	const want = `  - name: 192.0.2.17
    networks: [192.0.2.17, '2001:db8::/64']
    uids: [0, 33]
    senders: ['*@contoso.com']
    display_name: 'Scanner: 2nd floor, #4'
    mailbox: a@contoso.com
    force: true
    budget:
      per_day: 10
    eight_bit: keep
  - name: "1.2"
    user: no
`
	if err != nil || got != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	if text, err := relayfile.Entries[relayfile.Client](); text != "" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

// words are texts that YAML reads as something else, or that need quotes.
var words = []string{"null", "~", "yes", "on", "0x10", "1e3", "12:30:45", "1.20", "2026-12-24", "- a", "a: b", "a #b", "*x", "&x", "!x", "%x", "@x", "`x`", "{a}", "[a]", "'", `"`, `\`, "<<", "=", "?", "a  b", "Jörg 😀", "|", ">"}

func genClient(name string) *rapid.Generator[relayfile.Client] {
	local := rapid.StringMatching(`[a-z0-9+.'=&-]{1,12}`)
	return rapid.Custom(func(t *rapid.T) relayfile.Client {
		c := relayfile.Client{Name: name, User: rapid.StringMatching("[!-9;-~]{1,16}").Draw(t, "user") + name}
		for i := range rapid.IntRange(0, 3).Draw(t, "networks") {
			c.Networks = append(c.Networks, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, name[0], byte(i), 0}), rapid.IntRange(24, 32).Draw(t, "bits")))
		}
		for i := range rapid.IntRange(0, 2).Draw(t, "uids") {
			c.UIDs = append(c.UIDs, uint32(name[0])*10+uint32(i))
		}
		if p, err := address.ParsePattern("", local.Draw(t, "sender")+"@contoso.com"); err == nil {
			c.Senders = append(c.Senders, p)
		}
		if rapid.Bool().Draw(t, "domains") {
			c.RecipientDomains = []string{"contoso.com", "xn--bcher-kva.example"}
		}
		c.DisplayName = rapid.OneOf(rapid.SampledFrom(words), rapid.StringMatching("([!-~äЖ]{1,9} ?){0,20}[!-~]")).Draw(t, "display name")
		if a, err := address.Parse("", local.Draw(t, "mailbox")+"@contoso.com"); err == nil {
			c.Mailbox = a
		}
		c.Force = rapid.Bool().Draw(t, "force")
		c.Budget = relayfile.Budget{PerHour: rapid.IntRange(0, 5).Draw(t, "hour"), PerDay: rapid.IntRange(5, 9).Draw(t, "day")}
		c.EightBit = rapid.SampledFrom([]relayfile.EightBit{relayfile.EightBitEncode, relayfile.EightBitKeep}).Draw(t, "eight bit")
		return c
	})
}

func TestEntriesParseBackToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := []relayfile.Client{genClient("a").Draw(t, "a"), genClient("b").Draw(t, "b")}
		lines, err := relayfile.Entries(want...)
		if err != nil {
			t.Fatal(err)
		}
		text := "users_file: u\nlisteners: [{address: 'starttls://10.0.0.1', policy: ip-or-auth}, {address: 'unix:///x'}]\nclients:\n" + lines
		f, err := relayfile.Parse([]byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for i := range f.Clients {
			f.Clients[i].Line = 0
		}
		if !reflect.DeepEqual(f.Clients, want) {
			t.Errorf("%+v\nwant\n%+v\n%s", f.Clients, want, text)
		}
	})
}

func TestTheExampleIsWrittenAgain(t *testing.T) {
	f := mustParse(t, relayfile.Example())
	listeners, err1 := relayfile.Entries(f.Listeners...)
	clients, err2 := relayfile.Entries(f.Clients...)
	rules, err3 := relayfile.Entries(f.Senders...)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	again := mustParse(t, "users_file: u\nlisteners:\n"+listeners+"clients:\n"+clients+"senders:\n"+rules)
	for _, file := range []*relayfile.File{f, again} {
		for i := range file.Listeners {
			file.Listeners[i].Line = 0
		}
		for i := range file.Clients {
			file.Clients[i].Line = 0
		}
		for i := range file.Senders {
			file.Senders[i].Line = 0
		}
	}
	if !reflect.DeepEqual(f.Listeners, again.Listeners) || !reflect.DeepEqual(f.Clients, again.Clients) || !reflect.DeepEqual(f.Senders, again.Senders) {
		t.Errorf("%+v\nbecame\n%+v", f, again)
	}
}

// FuzzParse: no text makes the reader panic, take long, or return a file with a client
// that is everyone; what it returns is written and read again as the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		relayfile.Example(), head, head + "clients: &a [*a]", "a: &a [*a, *a]\nb: [*a]", "? ? ?", "%TAG ! x\n---\n", "listeners: [{address: unix:///x}]\n<<: *a",
		"listeners: [{address: 'smtp://[::1]:0'}]\nclients: [{name: a, networks: ['::ffff:127.0.0.1']}]", "clients: !!set {a, b}", "{[a]: b}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		begun := time.Now()
		file, err := relayfile.Parse([]byte(text))
		if took := time.Since(begun); took > 20*time.Second {
			t.Fatalf("took %v", took)
		}
		var problems *relayfile.Problems
		if err != nil {
			if !errors.As(err, &problems) || len(problems.List) == 0 || len(problems.List) > limits.RelayProblems || strings.ContainsAny(err.Error(), "\r\n") {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		for _, c := range file.Clients {
			if c.Name == "" || len(c.Networks) == 0 && c.User == "" && len(c.UIDs) == 0 {
				t.Errorf("%+v", c)
			}
		}
		for _, l := range file.Listeners {
			if l.Policy == "" || l.Limits.Idle == 0 || l.Limits.Size == 0 || l.OffersTLS() != (l.TLSMin != 0) {
				t.Errorf("%+v", l)
			}
		}
		checkWrittenAgain(t, file)
	})
}

func checkWrittenAgain(t *testing.T, file *relayfile.File) {
	listeners, err1 := relayfile.Entries(file.Listeners...)
	clients, err2 := relayfile.Entries(file.Clients...)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	text := "users_file: u\nlisteners:\n" + listeners
	if clients != "" {
		text += "clients:\n" + clients
	}
	again, err := relayfile.Parse([]byte(text))
	if err != nil || len(again.Clients) != len(file.Clients) || len(again.Listeners) != len(file.Listeners) {
		t.Fatalf("%v\n%s", err, text)
	}
}

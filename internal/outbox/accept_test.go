package outbox_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
)

func TestContentComesBackAsItWasTaken(t *testing.T) {
	random := make([]byte, 3<<20+17)
	chacha := rand.NewChaCha8([32]byte{1})
	_, _ = chacha.Read(random)
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		for _, size := range []int{1, 2048, 1<<20 - 1, 1 << 20, 1<<20 + 1, 2 << 20, len(random)} {
			m := mail()
			m.Size = int64(size)
			q, _, err := f.Accept(f.ctx, m, iotest.HalfReader(bytes.NewReader(random[:size])))
			if err != nil {
				t.Fatalf("%d octets: %v", size, err)
			}
			got, err := f.read(q)
			if err != nil || got != string(random[:size]) {
				t.Errorf("%d octets came back as %d, %v", size, len(got), err)
			}
		}
	})
}

func TestClaimKnowsWhatAcceptTook(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		m := mail("kim@fabrikam.example", "lee@fabrikam.example", "kim@fabrikam.example")
		m.Mailbox = "App@Contoso.example"
		m.Envelope.DSN = mailobject.DSN{Notify: "FAILURE", Return: "HDRS", EnvelopeID: "e1"}
		m.Source, m.Notice = "sendmail", true
		q, _, err := f.Accept(f.ctx, m, strings.NewReader("Subject: gr\xc3\xbc\xc3\x9fe\r\n\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		f.lock()
		c := f.claim()
		if c.QID != q || c.Mailbox != box || c.MessageID != m.MessageID || !c.EightBit || c.Attempt != 1 || c.InDoubt != 0 ||
			c.Source != "sendmail" || !c.Notice || c.Size != 20 || !c.CreatedAt.Equal(f.clock.Now()) {
			t.Errorf("claim = %+v", c)
		}
		e := c.Envelope
		if e.ReversePath != box || strings.Join(e.ForwardPaths, " ") != "kim@fabrikam.example lee@fabrikam.example" || e.DSN != m.Envelope.DSN {
			t.Errorf("envelope = %+v", e)
		}
	})
}

func TestOneKeyIsOneMessage(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 1<<17) // 2 MiB
	for name, content := range map[string]string{"small": content, "large": large} {
		t.Run(name, func(t *testing.T) {
			conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
				m := mail()
				m.Key = "batch/1/7"
				first, dup, err := f.Accept(f.ctx, m, strings.NewReader(content))
				if dup || err != nil {
					t.Fatal(dup, err)
				}
				second, dup, err := f.Accept(f.ctx, m, strings.NewReader(content))
				if second != first || !dup || err != nil {
					t.Errorf("second time: %s, %v, %v, want %s, true, nil", second, dup, err, first)
				}
				if list, err := f.List(f.ctx, operator.Filter{}); len(list) != 1 || err != nil {
					t.Errorf("%d messages, %v, want 1", len(list), err)
				}
			})
		})
	}
}

func TestWhatBreaksOffIsNotTaken(t *testing.T) {
	cause := errors.New("the file shrank")
	megabyte := strings.Repeat("x", 1<<20)
	conform(t, outbox.Options{MaxSize: 4 << 20}, func(t *testing.T, f *fixture) {
		for _, tt := range []struct {
			name string
			size int64
			r    io.Reader
			want error
		}{
			{"small, reader fails", 0, io.MultiReader(strings.NewReader("x"), iotest.ErrReader(cause)), cause},
			{"large, reader fails", 0, io.MultiReader(strings.NewReader(megabyte+megabyte), iotest.ErrReader(cause)), cause},
			{"small, shorter than announced", 3, strings.NewReader("xx"), spool.ErrSize},
			{"large, longer than announced", 2 << 20, strings.NewReader(megabyte + megabyte + "x"), spool.ErrSize},
			{"empty", 0, strings.NewReader(""), new(spool.InputError)},
			{"larger than allowed", 0, strings.NewReader(strings.Repeat(megabyte, 5)), new(spool.InputError)},
		} {
			m := mail()
			m.Key, m.Size = "k", tt.size
			_, _, err := f.Accept(f.ctx, m, tt.r)
			var input *spool.InputError
			if !errors.Is(err, tt.want) && !(errors.As(tt.want, &input) && errors.As(err, &input)) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
			if list, err := f.List(f.ctx, operator.Filter{}); len(list) != 0 || err != nil {
				t.Errorf("%s: %d messages are left, %v", tt.name, len(list), err)
			}
		}
		m := mail()
		m.Key = "k" // still free
		f.put(m)
	})
}

func TestMessagesThatCannotBeTaken(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		for field, change := range map[string]func(*spool.Message){
			"mailbox":      func(m *spool.Message) { m.Mailbox = "" },
			"forward-path": func(m *spool.Message) { m.Envelope.ForwardPaths = nil },
			"address":      func(m *spool.Message) { m.Envelope.ForwardPaths[0] = strings.Repeat("x", 300) },
			"text":         func(m *spool.Message) { m.Envelope.ForwardPaths[0] = "a@b\r\nRCPT TO:<c@d>" },
			"priority":     func(m *spool.Message) { m.Priority = 3 },
		} {
			m := mail()
			change(&m)
			_, _, err := f.Accept(f.ctx, m, strings.NewReader(content))
			var input *spool.InputError
			if !errors.As(err, &input) || input.Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
		m := mail(make([]string, 1001)...)
		if _, _, err := f.Accept(f.ctx, m, strings.NewReader(content)); err == nil {
			t.Error("1001 recipients were taken")
		}
	})
}

func TestAcceptWakesAndCounts(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		select {
		case <-f.Wake():
		default:
			t.Error("no wake-up after Accept")
		}
		m, err := f.Mailbox(f.ctx, box)
		if err != nil || m.Counts[outbox.Ready] != 1 || !m.OldestDue.Equal(f.clock.Now()) || m.Wait != nil {
			t.Errorf("mailbox = %+v, %v", m, err)
		}
	})
}

func TestMessagesGoByPriorityThenAge(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		var want []queueid.ID
		for i, p := range []spool.Priority{spool.Bulk, spool.Normal, spool.Normal, spool.Urgent, spool.Low} {
			m := mail()
			m.Priority = p
			q := f.put(m)
			want = append(want, q)
			f.clock.add(time.Duration(i) * time.Second)
		}
		want = []queueid.ID{want[3], want[1], want[2], want[4], want[0]}
		f.lock()
		for i, q := range want {
			if c := f.claim(); c.QID != q {
				t.Errorf("claim %d is %s, want %s", i, c.QID, q)
			}
		}
		if _, err := f.sender.Claim(f.ctx, box); !errors.Is(err, outbox.ErrIdle) {
			t.Errorf("Claim of nothing: %v, want ErrIdle", err)
		}
	})
}

func TestScheduledMessagesWaitForTheirTime(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		m := mail()
		m.ReadyAt = f.clock.Now().Add(time.Hour)
		q := f.put(m)
		f.lock()
		if _, err := f.sender.Claim(f.ctx, box); !errors.Is(err, outbox.ErrIdle) {
			t.Fatalf("Claim: %v, want ErrIdle", err)
		}
		due, err := f.sender.Due(f.ctx)
		if err != nil || len(due) != 1 || due[0].Mailbox != box || !due[0].At.Equal(m.ReadyAt) {
			t.Errorf("Due = %+v, %v", due, err)
		}
		if d := f.show(q); d.Why != operator.WhyScheduled || !d.WaitsUntil.Equal(m.ReadyAt) {
			t.Errorf("reason = %q until %v", d.Why, d.WaitsUntil)
		}
		f.clock.add(time.Hour)
		f.claim()
	})
}

package smtp_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/smtp"
)

func read(s string) (smtp.Reply, error) { return smtp.Read(bufio.NewReader(strings.NewReader(s))) }

func TestReadGivesCodeEnhancedAndLines(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want smtp.Reply
	}{
		{"250 2.1.0 Sender OK\r\n", smtp.Reply{250, smtp.Enhanced{2, 1, 0}, []string{"2.1.0 Sender OK"}}},
		{"535 5.7.139 Authentication unsuccessful, x\r\n", smtp.Reply{535, smtp.Enhanced{5, 7, 139}, []string{"5.7.139 Authentication unsuccessful, x"}}},
		{"250-HOST Hello\r\n250-SIZE 1\r\n250 SMTPUTF8\r\n", smtp.Reply{250, smtp.Enhanced{}, []string{"HOST Hello", "SIZE 1", "SMTPUTF8"}}},
		{"354\r\n", smtp.Reply{354, smtp.Enhanced{}, []string{""}}},
		{"334 \r\n", smtp.Reply{334, smtp.Enhanced{}, []string{""}}},
		{"550 4.2.0 class disagrees\n", smtp.Reply{550, smtp.Enhanced{}, []string{"4.2.0 class disagrees"}}},
		{"250 1.2.3.4 is no enhanced code\r\n", smtp.Reply{250, smtp.Enhanced{}, []string{"1.2.3.4 is no enhanced code"}}},
		{"554 5.+2.3 x\r\n", smtp.Reply{554, smtp.Enhanced{}, []string{"5.+2.3 x"}}},
	} {
		got, err := read(tt.in)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Read(%q) = %+v, %v, want %+v", tt.in, got, err, tt.want)
		}
	}
}

func TestReadRefusesWhatIsNoReply(t *testing.T) {
	var syntax *smtp.SyntaxError
	for _, in := range []string{"hello\r\n", "25\r\n", "250+x\r\n", "650 x\r\n", "260 x\r\n", "250-a\r\n550 b\r\n", "\r\n", "HTTP/1.1 200 OK\r\n", "\x16\x03\x01\n"} {
		if _, err := read(in); !errors.As(err, &syntax) {
			t.Errorf("Read(%q) err = %v, want a SyntaxError", in, err)
		}
	}
	for in, want := range map[string]error{
		"":                   io.EOF,
		"250 half a li":      io.ErrUnexpectedEOF,
		"250-one\r\n":        io.ErrUnexpectedEOF,
		"250-one\r\n250 two": io.ErrUnexpectedEOF,
		strings.Repeat("250-"+strings.Repeat("y", 1000)+"\r\n", smtp.MaxReply/1000+1): smtp.ErrTooLong,
	} {
		if _, err := read(in); !errors.Is(err, want) {
			t.Errorf("Read(%.20q) err = %v, want %v", in, err, want)
		}
	}
}

func TestReadCutsALongLineAndGoesOn(t *testing.T) {
	long := strings.Repeat("x", 4*smtp.MaxLine)
	r, err := read("554-" + long + "\r\n554 end\r\n")
	if err != nil || r.Code != 554 || len(r.Lines) != 2 || r.Lines[0] != long[:smtp.MaxLine-len("554-")] || r.Lines[1] != "end" {
		t.Errorf("code %d, %d lines, err %v", r.Code, len(r.Lines), err)
	}
}

func TestReadStopsAtTheLimitOfAnEndlessReply(t *testing.T) {
	endless := &counter{}
	if _, err := smtp.Read(bufio.NewReader(endless)); !errors.Is(err, smtp.ErrTooLong) {
		t.Fatalf("err = %v, want ErrTooLong", err)
	}
	if endless.n > smtp.MaxReply+8<<10 {
		t.Errorf("read %d octets of an endless reply", endless.n)
	}
}

type counter struct{ n int }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "250-x\r\n"[(c.n+i)%7]
	}
	c.n += len(p)
	return len(p), nil
}

// FuzzRead holds that what was read, written again, is read the same, and that
// no line break survives in a line.
func FuzzRead(f *testing.F) {
	f.Add("250-a\r\n250 2.0.0 b\r\n")
	f.Add("432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending\r\n")
	f.Add("535 5.7.3 Authentication unsuccessful [AM0PR06CA0126.eurprd06.prod.outlook.com 2024-02-14T14:50:26.590Z 08DC2D372B4C3DED]\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		r, err := read(in)
		if err != nil {
			return
		}
		var wire strings.Builder
		for i, l := range r.Lines {
			if strings.Contains(l, "\n") {
				t.Fatalf("line %q holds a line break", l)
			}
			sep := "-"
			if i == len(r.Lines)-1 {
				sep = " "
			}
			fmt.Fprintf(&wire, "%d%s%s\r\n", r.Code, sep, l)
		}
		again, err := read(wire.String())
		if errors.Is(err, smtp.ErrTooLong) {
			return // a bare LF became CRLF
		}
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("%q read again = %+v, %v, want %+v", wire.String(), again, err, r)
		}
	})
}

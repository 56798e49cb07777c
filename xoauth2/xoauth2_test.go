package xoauth2_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/xoauth2"
)

func TestInitialResponseIsMicrosoftsExample(t *testing.T) {
	// Microsoft's page prints this for test@contoso.onmicrosoft.com.
	const want = "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFBbDNCQUFVRkZwVUFvN0ozVmUwYmpMQldaV0NjbFJDM0VvQUEBAQ=="
	got, err := xoauth2.InitialResponse("test@contoso.onmicrosoft.com", "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA")
	if err != nil {
		t.Fatal(err)
	}
	if s := base64.StdEncoding.EncodeToString(got); s != want {
		t.Errorf("got %s\nwant %s", s, want)
	}
}

func TestInitialResponseRefusesIllegalFields(t *testing.T) {
	for _, tt := range []struct{ user, token, field, reason string }{
		{"", "t", "user", "is empty"},
		{"u@x", "", "token", "is empty"},
		{"u\r@x", "t", "user", "contains CR"},
		{"u\n@x", "t", "user", "contains LF"},
		{"u\x00@x", "t", "user", "contains NUL"},
		{"u\x01@x", "t", "user", "contains ^A"},
		{"u@x", "t\r", "token", "contains CR"},
		{"u@x", "t\n", "token", "contains LF"},
		{"u@x", "t\x00", "token", "contains NUL"},
		{"u@x", "t\x01\x01", "token", "contains ^A"},
		{"u@x", "Bearer t", "token", "contains a blank"},
		{strings.Repeat("u", xoauth2.MaxUser+1), "t", "user", "is longer than 1024 octets"},
		{"u@x", strings.Repeat("t", xoauth2.MaxToken+1), "token", "is longer than 65536 octets"},
	} {
		_, err := xoauth2.InitialResponse(tt.user, tt.token)
		var field *xoauth2.FieldError
		if !errors.As(err, &field) || field.Field != tt.field || field.Reason != tt.reason {
			t.Errorf("InitialResponse(%.20q, %.20q) err = %v, want %s %s", tt.user, tt.token, err, tt.field, tt.reason)
		}
	}
}

func TestParseInitialResponse(t *testing.T) {
	user, token, err := xoauth2.ParseInitialResponse([]byte("user=a@b\x01auth=bearer tok\x01\x01"))
	if user != "a@b" || token != "tok" || err != nil {
		t.Errorf("got %q, %q, %v", user, token, err)
	}
	const secretToken = "S3CRET"
	for _, in := range []string{
		"", "\x01\x01", "user=a", "user=a\x01auth=Bearer S3CRET\x01", "user=\x01auth=Bearer S3CRET\x01\x01",
		"user=a\x01auth=Bearer \x01\x01", "user=a\x01auth=Basic S3CRET\x01\x01", "user=a\x01auth=S3CRET\x01\x01",
		"auth=Bearer S3CRET\x01user=a\x01\x01", "user=a\x01user=b\x01auth=Bearer S3CRET\x01\x01",
		"user=a\r\x01auth=Bearer S3CRET\x01\x01", "user=a\x01auth=Bearer S3CRET x\x01\x01",
		"user=a\x01auth=Bearer S3CRET\x01\x01trailing", "user=a\x01auth=Bearer S3CRET\x01\x01\x01",
	} {
		_, _, err := xoauth2.ParseInitialResponse([]byte(in))
		if !errors.Is(err, xoauth2.ErrSyntax) {
			t.Errorf("ParseInitialResponse(%q) err = %v, want ErrSyntax", in, err)
		} else if strings.Contains(err.Error(), secretToken) {
			t.Errorf("error holds the token: %v", err)
		}
	}
}

func TestErrorResult(t *testing.T) {
	const challenge = `{"status":"401","schemes":"bearer","scope":"https://outlook.office365.com/"}`
	r, err := xoauth2.ParseErrorResult([]byte(challenge))
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != "401" || r.Schemes != "bearer" || r.Scope != "https://outlook.office365.com/" || r.Raw != challenge {
		t.Errorf("got %+v", *r)
	}
	if got := string(r.Challenge()); got != challenge {
		t.Errorf("Challenge() = %s, want %s", got, challenge)
	}
	if got, want := r.Error(), `xoauth2: server refused the token: status "401" schemes "bearer" scope "https://outlook.office365.com/"`; got != want {
		t.Errorf("Error() = %s, want %s", got, want)
	}
	if r, err := xoauth2.ParseErrorResult([]byte(`{"status":400,"x":[1]}`)); err != nil || r.Status != "400" {
		t.Errorf("status as number: %+v, %v", r, err)
	}
	for _, in := range []string{"", "null", "[]", `"x"`, `{"status":[]}`, strings.Repeat(" ", xoauth2.MaxErrorResult) + "{}"} {
		if _, err := xoauth2.ParseErrorResult([]byte(in)); !errors.Is(err, xoauth2.ErrSyntax) {
			t.Errorf("ParseErrorResult(%.20q) err = %v, want ErrSyntax", in, err)
		}
	}
}

func TestClientSendsAgainAfterAnEmptyChallenge(t *testing.T) {
	c := xoauth2.NewClient("a@b", "tok")
	mech, ir, err := c.Start()
	if mech != "XOAUTH2" || err != nil {
		t.Fatalf("Start = %q, %v", mech, err)
	}
	again, err := c.Next(nil)
	if err != nil || string(again) != string(ir) {
		t.Errorf("Next(empty) = %q, %v, want the initial response", again, err)
	}
	if _, err := c.Next(nil); !errors.Is(err, xoauth2.ErrUnexpectedChallenge) {
		t.Errorf("second empty challenge: %v, want ErrUnexpectedChallenge", err)
	}
	if response, err := c.Next([]byte(`{"status":"401"}`)); err != nil || len(response) != 0 || c.Result() == nil {
		t.Errorf("error result after the resent response: %q, %v, %v", response, err, c.Result())
	}
	if _, err := c.Next([]byte(`{"status":"401"}`)); !errors.Is(err, xoauth2.ErrUnexpectedChallenge) {
		t.Errorf("second error result: %v, want ErrUnexpectedChallenge", err)
	}
}

func TestClientKeepsTheErrorResultAndAnswersEmpty(t *testing.T) {
	for challenge, wantStatus := range map[string]string{`{"status":"401"}`: "401", "no JSON\r\n": ""} {
		c := xoauth2.NewClient("a@b", "tok")
		if _, _, err := c.Start(); err != nil {
			t.Fatal(err)
		}
		response, err := c.Next([]byte(challenge))
		if err != nil || response == nil || len(response) != 0 {
			t.Errorf("Next(%q) = %q, %v, want an empty response", challenge, response, err)
		}
		if r := c.Result(); r == nil || r.Status != wantStatus || r.Raw != challenge {
			t.Errorf("Result() = %+v", r)
		} else if strings.ContainsAny(r.Error(), "\r\n") {
			t.Errorf("Error() holds a line break: %q", r.Error())
		}
	}
}

func TestClientEndsAfterTheEmptyChallengeAndAnErrorResult(t *testing.T) {
	c := xoauth2.NewClient("a@b", "tok")
	if _, err := c.Next(nil); !errors.Is(err, xoauth2.ErrUnexpectedChallenge) {
		t.Errorf("Next before Start: %v", err)
	}
	if _, _, err := xoauth2.NewClient("", "tok").Start(); err == nil || err.Error() != "xoauth2: user is empty" {
		t.Errorf("Start with an empty user: %v", err)
	}
}

func TestClientIsPrintedWithoutItsToken(t *testing.T) {
	c := xoauth2.NewClient("a@b", "S3CRET")
	for _, printed := range []any{c, struct{ C *xoauth2.Client }{c}, []any{c}} {
		if s := fmt.Sprintf("%v %+v %#v %s %x", printed, printed, printed, printed, printed); strings.Contains(s, "S3CRET") || strings.Contains(s, "533343524554") {
			t.Errorf("printed %s", s)
		}
	}
	if s := fmt.Sprint(c); s != `xoauth2.Client("a@b")` {
		t.Errorf("printed %s", s)
	}
}

// FuzzParseInitialResponse holds that what is read, built again, is the same
// but for the case of the scheme.
func FuzzParseInitialResponse(f *testing.F) {
	f.Add([]byte("user=a@b\x01auth=Bearer tok\x01\x01"))
	f.Add([]byte("user=a@b\x01auth=bearer tok\x01\x01"))
	f.Add([]byte("n,a=a@b,\x01auth=Bearer tok\x01\x01"))
	f.Fuzz(func(t *testing.T, message []byte) {
		user, token, err := xoauth2.ParseInitialResponse(message)
		if err != nil {
			return
		}
		again, err := xoauth2.InitialResponse(user, token)
		if err != nil {
			t.Fatalf("read %q, %q but cannot build it: %v", user, token, err)
		}
		if !strings.EqualFold(string(again), string(message)) {
			t.Fatalf("built %q, read %q", again, message)
		}
	})
}

// FuzzErrorResult holds that the error's text is one line, and that a result
// that was read is read again from its own challenge.
func FuzzErrorResult(f *testing.F) {
	f.Add([]byte(`{"status":"401","schemes":"bearer","scope":"s"}`))
	f.Add([]byte(`{"status":400}`))
	f.Fuzz(func(t *testing.T, challenge []byte) {
		r, err := xoauth2.ParseErrorResult(challenge)
		if err != nil {
			return
		}
		if strings.ContainsAny(r.Error(), "\r\n") {
			t.Fatalf("Error() = %q", r.Error())
		}
		again, err := xoauth2.ParseErrorResult(r.Challenge())
		if err != nil || again.Status != r.Status || again.Schemes != r.Schemes || again.Scope != r.Scope {
			t.Fatalf("again = %+v, %v, want %+v", again, err, r)
		}
	})
}

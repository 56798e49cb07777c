package xoauth2_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"

	"github.com/smtpsend/smtpsend/xoauth2"
)

func TestBearerResponseIsTheExampleOfTheRFC(t *testing.T) {
	t.Parallel()
	// RFC 7628 4.1, decoded.
	r := xoauth2.BearerResponse{User: "user@example.com", Token: "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", Host: "server.example.com", Port: 143}
	const want = "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
	got, err := r.Message()
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	if got, err := (xoauth2.BearerResponse{Token: "t"}).Message(); err != nil || string(got) != "n,,\x01auth=Bearer t\x01\x01" {
		t.Errorf("the least: %q, %v", got, err)
	}
	if got, err := (xoauth2.BearerResponse{User: "a=b,c", Token: "t"}).Message(); err != nil || string(got) != "n,a=a=3Db=2Cc,\x01auth=Bearer t\x01\x01" {
		t.Errorf("escaped: %q, %v", got, err)
	}
}

func TestBearerResponseRefusesIllegalFields(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		r     xoauth2.BearerResponse
		field string
	}{
		{xoauth2.BearerResponse{}, "token"},
		{xoauth2.BearerResponse{Token: "a b"}, "token"},
		{xoauth2.BearerResponse{Token: "t\x01"}, "token"},
		{xoauth2.BearerResponse{Token: "t", User: "a\x01b"}, "user"},
		{xoauth2.BearerResponse{Token: "t", User: strings.Repeat("u", xoauth2.MaxUser+1)}, "user"},
		{xoauth2.BearerResponse{Token: "t", Host: "h\r\n"}, "host"},
		{xoauth2.BearerResponse{Token: "t", Host: strings.Repeat("h", 256)}, "host"},
		{xoauth2.BearerResponse{Token: "t", Port: -1}, "port"},
		{xoauth2.BearerResponse{Token: "t", Port: 65536}, "port"},
	} {
		_, err := c.r.Message()
		if e, ok := errors.AsType[*xoauth2.FieldError](err); !ok || e.Field != c.field {
			t.Errorf("%v: got %v", c.r, err)
		}
		if _, _, err := xoauth2.NewBearerClient(c.r).Start(); err == nil {
			t.Errorf("%v: Start has no error", c.r)
		}
	}
}

func TestParseBearerResponse(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]xoauth2.BearerResponse{
		"n,a=user@example.com,\x01host=h\x01port=587\x01auth=Bearer t\x01\x01": {User: "user@example.com", Token: "t", Host: "h", Port: 587},
		"y,,\x01auth=bEARER t\x01\x01":                                         {Token: "t"},
		"n,a=a=3Db=2Cc,\x01auth=Bearer t\x01new=\r\nx\x01new=y\x01\x01":        {User: "a=b,c", Token: "t"},
	} {
		got, err := xoauth2.ParseBearerResponse([]byte(message))
		if err != nil || *got != want {
			t.Errorf("%q: got %+v, %v", message, got, err)
		}
	}
	const secretToken = "S3CRET"
	for _, message := range []string{
		"", "\x01", "\x01\x01", "n,,", "n,,\x01\x01", "n,,\x01auth=Bearer S3CRET\x01", "n,,auth=Bearer S3CRET\x01\x01", "n,\x01auth=Bearer S3CRET\x01\x01",
		"x,,\x01auth=Bearer S3CRET\x01\x01", "p=tls-unique,,\x01auth=Bearer S3CRET\x01\x01", "n,a=,\x01auth=Bearer S3CRET\x01\x01",
		"n,b=u,\x01auth=Bearer S3CRET\x01\x01", "n,a=u=41,\x01auth=Bearer S3CRET\x01\x01", "n,a=u,v,\x01auth=Bearer S3CRET\x01\x01",
		"n,,\x01auth=Basic S3CRET\x01\x01", "n,,\x01auth=Bearer S3CRET\x01auth=Bearer S3CRET\x01\x01", "n,,\x01host=h\x01\x01",
		"n,,\x01port=x\x01auth=Bearer S3CRET\x01\x01", "n,,\x01port=70000\x01auth=Bearer S3CRET\x01\x01", "n,,\x01host=a\x01host=b\x01auth=Bearer S3CRET\x01\x01",
		"n,,\x01=v\x01auth=Bearer S3CRET\x01\x01", "user=a\x01auth=Bearer S3CRET\x01\x01", "n,,\x01auth=Bearer S3CRET S3CRET\x01\x01",
	} {
		_, err := xoauth2.ParseBearerResponse([]byte(message))
		if !errors.Is(err, xoauth2.ErrSyntax) || strings.Contains(err.Error(), secretToken) {
			t.Errorf("%q: got %v", message, err)
		}
	}
}

func TestBearerClientAnswersAnErrorResultWithTheDummyResponse(t *testing.T) {
	t.Parallel()
	c := xoauth2.NewBearerClient(xoauth2.BearerResponse{User: "u@x", Token: "S3CRET"})
	mechanism, first, err := c.Start()
	if mechanism != "OAUTHBEARER" || err != nil {
		t.Fatalf("Start = %q, %v", mechanism, err)
	}
	if again, err := c.Next(nil); err != nil || string(again) != string(first) {
		t.Errorf("after an empty challenge: %q, %v", again, err)
	}
	const challenge = `{"status":"invalid_token","scope":"mail","openid-configuration":"https://example.com/.well-known/openid-configuration"}`
	answer, err := c.Next([]byte(challenge))
	if err != nil || string(answer) != "\x01" {
		t.Errorf("got %q, %v", answer, err)
	}
	r := c.Result()
	if r.Status != "invalid_token" || r.Scope != "mail" || r.OpenIDConfiguration != "https://example.com/.well-known/openid-configuration" {
		t.Errorf("got %+v", *r)
	}
	if again, err := xoauth2.ParseErrorResult(r.Challenge()); err != nil || again.OpenIDConfiguration != r.OpenIDConfiguration {
		t.Errorf("got %+v, %v", again, err)
	}
	if _, err := c.Next([]byte(challenge)); !errors.Is(err, xoauth2.ErrUnexpectedChallenge) {
		t.Errorf("got %v", err)
	}
	r2 := xoauth2.BearerResponse{User: "u@x", Token: "S3CRET"}
	if text := fmt.Sprintf("%v %+v %#v %v", c, c, r2, &r2); strings.Contains(text, "S3CRET") {
		t.Errorf("printed %s", text)
	}
}

func TestEncodedBearerResponseHoldsNoToken(t *testing.T) {
	t.Parallel()
	r := xoauth2.BearerResponse{User: "u@x", Token: "S3CRET", Host: "smtp.example", Port: 587}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "response", r, "pointer", &r)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "response", r)
	for name, encode := range map[string]func(any) ([]byte, error){
		"JSON": json.Marshal,
		"XML":  xml.Marshal,
		"log":  func(any) ([]byte, error) { return log.Bytes(), nil },
	} {
		text, err := encode(&r)
		if err != nil || strings.Contains(string(text), "S3CRET") || !strings.Contains(string(text), "u@x") {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(r); err == nil || strings.Contains(err.Error()+b.String(), "S3CRET") {
		t.Errorf("gob: %q, %v", b.String(), err)
	}
}

// TestBearerAgreesWithGoSASL holds both ends against those of another library.
func TestBearerAgreesWithGoSASL(t *testing.T) {
	t.Parallel()
	want := xoauth2.BearerResponse{User: "u@example.com", Token: "t", Host: "h", Port: 587}
	var got sasl.OAuthBearerOptions
	server := sasl.NewOAuthBearerServer(func(o sasl.OAuthBearerOptions) *sasl.OAuthBearerError {
		if got = o; o.Token != "t" {
			return &sasl.OAuthBearerError{Status: "invalid_token", Schemes: "bearer"}
		}
		return nil
	})
	var client sasl.Client = xoauth2.NewBearerClient(want)
	_, first, err := client.Start()
	if err != nil {
		t.Fatal(err)
	}
	if _, done, err := server.Next(first); !done || err != nil || got != (sasl.OAuthBearerOptions{Username: "u@example.com", Token: "t", Host: "h", Port: 587}) {
		t.Errorf("go-sasl's server read %+v (%v, %v)", got, done, err)
	}
	_, theirs, err := sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: "u@example.com", Token: "t", Host: "h", Port: 587}).Start()
	if err != nil {
		t.Fatal(err)
	}
	if read, err := xoauth2.ParseBearerResponse(theirs); err != nil || *read != want {
		t.Errorf("of go-sasl's client we read %v, %v", read, err)
	}

	want.Token = "another"
	refusing := sasl.NewOAuthBearerServer(func(sasl.OAuthBearerOptions) *sasl.OAuthBearerError {
		return &sasl.OAuthBearerError{Status: "invalid_token", Schemes: "bearer"}
	})
	refused := xoauth2.NewBearerClient(want)
	_, first, _ = refused.Start()
	challenge, _, _ := refusing.Next(first)
	dummy, err := refused.Next(challenge)
	if err != nil || refused.Result().Status != "invalid_token" {
		t.Errorf("challenge %q: %v", challenge, err)
	}
	if _, done, err := refusing.Next(dummy); !done || err == nil {
		t.Errorf("after the dummy response: %v, %v", done, err)
	}
}

// FuzzParseBearerResponse holds that what is read is read again from its own message.
func FuzzParseBearerResponse(f *testing.F) {
	f.Add([]byte("n,a=user@example.com,\x01host=h\x01port=587\x01auth=Bearer t\x01\x01"))
	f.Add([]byte("n,a=a=3Db=2Cc,\x01auth=Bearer t\x01new=\r\nx\x01\x01"))
	f.Add([]byte("user=a\x01auth=Bearer t\x01\x01"))
	f.Fuzz(func(t *testing.T, message []byte) {
		r, err := xoauth2.ParseBearerResponse(message)
		if err != nil {
			return
		}
		again, err := r.Message()
		if err != nil {
			t.Fatalf("read %v but cannot build it: %v", r, err)
		}
		if second, err := xoauth2.ParseBearerResponse(again); err != nil || *second != *r {
			t.Fatalf("read %q as %v, %v; was %v", again, second, err, r)
		}
	})
}

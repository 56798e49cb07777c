package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/secret"
)

const value = "Sup3r~S3cret.Value"

type holder struct {
	Public secret.String
	hidden secret.String
	inner  struct{ s secret.String }
	ptr    *secret.String
}

func TestSecretIsInNoFormat(t *testing.T) {
	s := secret.New(value)
	h := holder{Public: s, hidden: s, ptr: &s}
	h.inner.s = s

	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s", "%T %v"} {
		args := []any{s, &s, h, &h, []any{s, h}, map[string]any{"k": s}}
		for _, a := range args {
			fmt.Fprintf(&out, verb+"\n", a)
		}
	}
	encoded, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(encoded)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "s", s, "h", h)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "s", s, "h", h)
	out.Write(log.Bytes())

	for _, leak := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value)} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("output holds %q:\n%s", leak, out.String())
		}
	}
	if got := fmt.Sprint(s); got != secret.Redacted {
		t.Errorf("Sprint = %q, want %q", got, secret.Redacted)
	}
	if got, want := string(encoded), `{"Public":"[redacted]"}`; got != want {
		t.Errorf("JSON = %s, want %s", got, want)
	}
}

func TestRevealGivesTheValueBack(t *testing.T) {
	var s secret.String
	if !s.IsZero() || s.Reveal() != "" || s.String() != "" {
		t.Errorf("zero value is not empty: %v %q", s.IsZero(), s.Reveal())
	}
	if err := s.UnmarshalText([]byte(value)); err != nil || s.Reveal() != value {
		t.Errorf("after UnmarshalText: %q, %v", s.Reveal(), err)
	}
	if !secret.New("").IsZero() {
		t.Error(`New("") is not the zero value`)
	}
}

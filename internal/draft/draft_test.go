package draft_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/draft"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
)

func flag(field string) string { return "-" + field }

func given(fields ...string) func(string) bool {
	return func(field string) bool { return slices.Contains(fields, field) }
}

// compose composes a message of the options with the text in standard input.
func compose(t *testing.T, o draft.Options, stdin string, cfg config.Config) (*draft.Made, []string, error) {
	t.Helper()
	var warnings []string
	c, err := draft.New(o, draft.Environment{
		Stdin: strings.NewReader(stdin), Budget: draft.NewBudget(time.Hour, "-limit"), Reading: func(string) {},
		Warn: func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) },
	})
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(c.Close)
	made, err := c.Compose(t.Context(), &cfg)
	if made != nil {
		t.Cleanup(func() { _ = made.Close() })
	}
	return made, warnings, err
}

func TestADraftIsMadeOfOptionsAndSettings(t *testing.T) {
	o := draft.Options{To: []string{"Ann <ann@contoso.example>"}, Subject: "hi", Name: flag}
	made, warnings, err := compose(t, o, "caf\xe9", config.Config{MailSender: "App <app@contoso.example>"})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if _, err := made.Content.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if made.From != "app@contoso.example" || made.Envelope.ReversePath != "app@contoso.example" || !slices.Equal(made.Envelope.ForwardPaths, []string{"ann@contoso.example"}) {
		t.Errorf("from %q, envelope %+v", made.From, made.Envelope)
	}
	if !strings.Contains(b.String(), "Subject: hi\r\n") || made.Composed == nil {
		t.Errorf("the message is\n%s", b.String())
	}
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], "-text-file: standard input ") || !strings.Contains(warnings[0], "name its charset with -charset") {
		t.Errorf("warnings %q", warnings)
	}
}

// TestErrorsHaveTheNamesOfTheCaller: a program that calls its fields otherwise, or
// not at all, can say so.
func TestErrorsHaveTheNamesOfTheCaller(t *testing.T) {
	sender := config.Config{MailSender: "app@contoso.example"}
	for _, tt := range []struct {
		name string
		o    draft.Options
		cfg  config.Config
		is   error
		text string
		code int
	}{
		{"no recipient", draft.Options{}, sender, draft.ErrNoRecipient, "no recipient", exit.Usage},
		{"no From", draft.Options{To: []string{"a@b.example"}}, config.Config{}, draft.ErrNoFrom, "no From address", exit.Usage},
		{"address", draft.Options{To: []string{"a b"}}, sender, nil, `-to "a b": `, exit.Data},
		{"a file as an address", draft.Options{Cc: []string{"@list"}}, sender, nil, `-cc "@list": a file with addresses is given by -cc-file list`, exit.Usage},
		{"header", draft.Options{To: []string{"a@b.example"}, Header: []string{"x"}}, sender, nil, `-header "x": write 'Name: value'`, exit.Usage},
		{"attachment", draft.Options{To: []string{"a@b.example"}, Attach: []string{"x="}}, sender, nil, `-attach "x=": write NAME=FILE`, exit.Usage},
		{"charset", draft.Options{Charset: "none"}, sender, nil, `-charset "none"`, exit.Usage},
		{"empty", draft.Options{To: []string{"a@b.example"}, SkipEmpty: true, Given: given("text")}, sender, draft.ErrEmpty, "", 0},
	} {
		tt.o.Name = flag
		_, _, err := compose(t, tt.o, "text", tt.cfg)
		if err == nil || !strings.HasPrefix(err.Error(), tt.text) || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.text)
		} else if code := ending.Code(err); tt.code != 0 && code != tt.code {
			t.Errorf("%s: exit code %d, want %d", tt.name, code, tt.code)
		}
	}
}

// TestARefusedDraftNamesTheFieldOfTheMessage: the caller knows what filled it.
func TestARefusedDraftNamesTheFieldOfTheMessage(t *testing.T) {
	o := draft.Options{To: []string{"a@b.example"}, Subject: "a\nb", Given: given("subject")}
	_, _, err := compose(t, o, "text", config.Config{MailSender: "app@contoso.example"})
	refused, ok := errors.AsType[*draft.RefusedError](err)
	if !ok {
		t.Fatal(err)
	}
	if field, ok := errors.AsType[*badinput.FieldError](refused.Err); !ok || field.Field != "Subject" {
		t.Errorf("%v", refused.Err)
	}
}

func TestCheckRefusesWhatContradictsItself(t *testing.T) {
	for want, o := range map[string]draft.Options{
		"-text and -text-file exclude each other":                    {Given: given("text", "text-file"), Text: "x", TextFile: "y"},
		"only one of -data and the text can be standard input":       {Data: "-"},
		"only one of -to-file and -attach can be standard input":     {ToFile: []string{"-"}, Attach: []string{"a=-"}, Given: given("text")},
		`-text-file "": is not the name of a file`:                   {Given: given("text-file")},
		"-data, -set and -attach-dir need -template":                 {Set: []string{"a=b"}, Given: given("text")},
		"-charset needs a text file or standard input, and neither ": {Given: given("text", "charset")},
	} {
		o.Name = flag
		if err := o.Check(); err == nil || !strings.HasPrefix(err.Error(), want) || ending.Code(err) != exit.Usage {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := (&draft.Options{}).Check(); err != nil {
		t.Error(err)
	}
}

func TestKeepWritesTheMessageAndItsPreview(t *testing.T) {
	dir := t.TempDir()
	o := draft.Options{
		To: []string{"a@b.example"}, Text: "hello", Given: given("text"), Save: filepath.Join(dir, "m.eml"), Preview: filepath.Join(dir, "m.html"),
	}
	made, _, err := compose(t, o, "", config.Config{MailSender: "app@contoso.example"})
	if err == nil {
		err = made.Keep(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"m.eml": "To: a@b.example\r\n", "m.html": "hello"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

func TestABudgetEndsWhatTakesLonger(t *testing.T) {
	b := draft.NewBudget(time.Nanosecond, "-limit")
	err := b.Run(t.Context(), func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	})
	if err == nil || err.Error() != "composing the message took longer than -limit 1ns" || ending.Code(err) != exit.Data {
		t.Errorf("%v", err)
	}
	if b.Left() >= 0 {
		t.Errorf("%v are left", b.Left())
	}
}

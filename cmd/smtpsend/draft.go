package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/message"
)

// maxBody is the size in octets up to which a text or HTML body is read. It is
// held in memory, unlike attachments; Exchange takes 35 MB by default in all.
const maxBody = 25 << 20

// draft makes of the flags what message.Compose needs. given reports whether a
// flag was set, because an empty --text is a text.
func (s *sendFlags) draft(g *globals, cfg *config.Config, given func(string) bool) (message.Draft, error) {
	var d message.Draft
	if err := s.addresses(&d, cfg); err != nil {
		return d, err
	}
	if err := s.bodies(&d, g.stdin, given); err != nil {
		return d, err
	}
	d.Subject = s.subject
	for _, h := range s.header {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return d, usagef("--header %q: write 'Name: value'", h)
		}
		d.Headers = append(d.Headers, message.Header{Name: name, Value: strings.TrimSpace(value)})
	}
	for _, pattern := range s.attach {
		paths, err := matches(pattern)
		if err != nil {
			return d, err
		}
		for _, path := range paths {
			d.Attachments = append(d.Attachments, message.Attachment{Path: path})
		}
	}
	return d, nil
}

// addresses fills in who writes to whom. The mailbox follows From unless a flag
// or SMTP_USER_NAME names another.
func (s *sendFlags) addresses(d *message.Draft, cfg *config.Config) (err error) {
	from, field := s.from, "--from"
	if from == "" {
		from, field = cfg.MailSender, config.Prefix+"MAIL_SENDER"
	}
	if from == "" {
		return usagef("no From address: use --from, or set %sMAIL_SENDER", config.Prefix)
	}
	if d.From, err = message.ParseAddress(field, from); err != nil {
		return err
	}
	mailbox, field := s.mailbox, "--mailbox"
	if mailbox == "" {
		mailbox, field = cfg.SMTPUserName, config.Prefix+"SMTP_USER_NAME"
	}
	if mailbox != "" {
		if d.Mailbox, err = message.ParseAddress(field, mailbox); err != nil {
			return err
		}
	}
	for _, list := range []struct {
		flag   string
		values []string
		target *[]message.Address
	}{{"--to", s.to, &d.To}, {"--cc", s.cc, &d.Cc}, {"--bcc", s.bcc, &d.Bcc}, {"--reply-to", s.replyTo, &d.ReplyTo}} {
		for _, value := range list.values {
			parsed, err := message.ParseAddressList(list.flag, value)
			if err != nil {
				return err
			}
			*list.target = append(*list.target, parsed...)
		}
	}
	if len(d.To)+len(d.Cc)+len(d.Bcc) == 0 {
		return usagef("no recipient: use --to, --cc or --bcc, or name them as arguments")
	}
	return nil
}

// bodies reads text and HTML from where the flags say, the text from standard
// input when they say nothing.
func (s *sendFlags) bodies(d *message.Draft, stdin io.Reader, given func(string) bool) (err error) {
	for _, pair := range [][2]string{{"text", "text-file"}, {"html", "html-file"}} {
		if given(pair[0]) && given(pair[1]) {
			return usagef("--%s and --%s exclude each other", pair[0], pair[1])
		}
	}
	if s.textFile == "-" && s.htmlFile == "-" {
		return usagef("only one of --text-file and --html-file can be standard input")
	}
	textFile := s.textFile
	if !given("text") && !given("text-file") && !given("html") && !given("html-file") {
		textFile = "-"
	}
	d.Text, d.HTML = s.text, s.html
	if textFile != "" {
		if d.Text, err = readBody(textFile, stdin); err != nil {
			return err
		}
	}
	if s.htmlFile != "" {
		d.HTML, err = readBody(s.htmlFile, stdin)
	}
	return err
}

// readBody reads a file, or standard input for "-", up to maxBody.
func readBody(name string, stdin io.Reader) (string, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", &message.FileError{Path: name, Err: err}
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxBody+1))
	if err != nil {
		return "", &message.FileError{Path: name, Err: err}
	}
	if len(data) > maxBody {
		return "", withCode(exitData, fmt.Errorf("body %q: longer than %d octets; attach it instead", name, maxBody))
	}
	return string(data), nil
}

// matches expands a pattern. A file of exactly that name comes first, so that
// "a[1].pdf" can be attached.
func matches(pattern string) ([]string, error) {
	_, err := os.Lstat(pattern)
	if err == nil || !strings.ContainsAny(pattern, "*?[") {
		return []string{pattern}, nil // message.Compose says what is wrong with it
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, usagef("--attach %q: %v", pattern, err)
	}
	if len(paths) == 0 {
		return nil, &message.FileError{Path: pattern, Err: fmt.Errorf("%w: no file matches", fs.ErrNotExist)}
	}
	return paths, nil
}

// asFlags names the flag in the place of the header field that it fills.
func asFlags(err error) error {
	var field *message.FieldError
	if !errors.As(err, &field) {
		return err
	}
	named := *field
	if flag, ok := map[string]string{
		"From": "--from", "To": "--to", "Cc": "--cc", "Bcc": "--bcc", "Reply-To": "--reply-to",
		"Subject": "--subject", "mailbox": "--mailbox", "header": "--header",
	}[field.Field]; ok {
		named.Field = flag
	}
	return &named
}

// isTerminal reports whether w or r is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

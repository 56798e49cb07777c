package message

import (
	"bytes"
	"cmp"
	"fmt"
	"io"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
)

// Source is a file to send along as a Go program gives it: by one of Path, Data and
// Reader. Data must not change while the Mail is in use; Reader is read to its end.
type Source struct {
	Path   string
	Data   []byte
	Reader io.Reader

	Name        string // as the reader sees it; "" = the last element of Path
	ContentType string // media type; "" = by extension, then by content
	ContentID   string // when set, HTML shows the file by "cid:" and this
}

// Attach sends a file along. Errors are *badinput.FieldError, and that of the Reader.
func (d *Draft) Attach(s Source) error {
	octets, err := s.octets()
	if err != nil {
		return err
	}
	if s.ContentID != "" {
		d.Inline = append(d.Inline, Inline{CID: s.ContentID, Path: cmp.Or(s.Path, s.Name), Octets: octets, ContentType: s.ContentType})
		return nil
	}
	d.Attachments = append(d.Attachments, Attachment{Path: s.Path, Octets: octets, Name: s.Name, ContentType: s.ContentType})
	return nil
}

// octets are the content that is in memory, nil for a file.
func (s Source) octets() (*bytes.Reader, error) {
	given := 0
	for _, is := range []bool{s.Path != "", s.Data != nil, s.Reader != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return nil, badinput.Field("attachment", s.Name, "needs one of Path, Data and Reader")
	}
	if s.Path == "" && s.Name == "" {
		return nil, badinput.Field("attachment", "", "needs a Name")
	}
	if s.Reader == nil {
		if s.Data == nil {
			return nil, nil
		}
		return bytes.NewReader(s.Data), nil
	}
	data, err := io.ReadAll(io.LimitReader(s.Reader, limits.Message+1))
	if err != nil {
		return nil, fmt.Errorf("reading attachment %q: %w", s.Name, err)
	}
	if len(data) > limits.Message {
		return nil, badinput.Field("attachment", s.Name, fmt.Sprintf("more than %d octets", limits.Message))
	}
	return bytes.NewReader(data), nil
}

// Address parses the addresses of the fields, each as people write one. The error is a
// *badinput.FieldError.
func (d *Draft) Address(to, cc, bcc, replyTo []string) (err error) {
	for _, l := range []struct {
		field  string
		values []string
		into   *[]address.Address
	}{{"To", to, &d.To}, {"Cc", cc, &d.Cc}, {"Bcc", bcc, &d.Bcc}, {"Reply-To", replyTo, &d.ReplyTo}} {
		if *l.into, err = address.ParseEach(l.field, l.values); err != nil {
			return err
		}
	}
	return nil
}

package readymessage

import (
	"net/textproto"
	"slices"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/mimetext"
	"github.com/smtpsend/smtpsend/internal/sevenbit/headerfield"
)

// authorFields say who a message is from, and who gets the answers.
var authorFields = []string{"from", "sender", "reply-to", "resent-from", "resent-sender", "resent-reply-to"}

// repairs are the changes to the fields of authors that need them and stay. What is
// in 8 bits of such a field is re-encoded here, if anything is.
func (msg *Message) repairs(m *mailobject.Mail, c Changes) (edits []edit) {
	if msg.signed() {
		return nil
	}
	for _, f := range msg.fields {
		if !slices.Contains(authorFields, f.name) || dropped(f.name, c) {
			continue
		}
		name := textproto.CanonicalMIMEHeaderKey(f.name)
		repaired, err := address.RepairField(name, f.value)
		if err != nil || repaired == f.value {
			continue
		}
		text := mimetext.Fold(name, repaired, true)
		if utf8 := false; msg.how == ReencodeAlways && !mimetext.IsASCII(repaired) {
			text, utf8 = headerfield.Addresses(name, repaired)
			m.UTF8Header = m.UTF8Header || utf8
		}
		edits = append(edits, edit{f.from, f.to, mailobject.Literal(text)})
	}
	return edits
}

// signed reports a signature over the header section, which a repair would break.
func (msg *Message) signed() bool {
	return slices.ContainsFunc(msg.fields, func(f headerField) bool {
		return f.name == "dkim-signature" || f.name == "arc-message-signature"
	})
}

// authors reads a field of authors as it goes out.
func (msg *Message) authors(name, value string) ([]address.Address, error) {
	repaired, err := address.RepairField(name, value)
	switch {
	case err != nil:
		return nil, err
	case repaired != value && msg.signed():
		return nil, badinput.Field(name, value, "the display name needs quotes, and the message is signed")
	}
	return address.ParseAuthors(name, repaired)
}

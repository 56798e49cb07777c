package message

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Priority is what the sender thinks of the urgency. The zero value says
// nothing, and no field is written.
type Priority string

// The priorities.
const (
	PriorityHigh   Priority = "high"
	PriorityNormal Priority = "normal"
	PriorityLow    Priority = "low"
)

// fields returns Importance (RFC 2156 5.3.4, which Exchange reads) and
// X-Priority (which all others read).
func (p Priority) fields() string {
	number := map[Priority]string{PriorityHigh: "1", PriorityNormal: "3", PriorityLow: "5"}[p]
	if number == "" {
		return ""
	}
	return "X-Priority: " + number + "\r\nImportance: " + string(p) + "\r\n"
}

func (p Priority) check() error {
	if p != "" && p.fields() == "" {
		return badinput.Field("priority", string(p), "is not high, normal or low")
	}
	return nil
}

// messageID is the one that was given, with its angle brackets, or a new one.
func (d *Draft) messageID() (string, error) {
	if d.MessageID == "" {
		return mailobject.NewMessageID(d.From.Domain()), nil
	}
	id := strings.TrimSuffix(strings.TrimPrefix(d.MessageID, "<"), ">")
	if reason := mailobject.CheckMessageID(id); reason != "" {
		return "", badinput.Field("Message-ID", d.MessageID, reason)
	}
	return "<" + id + ">", nil
}

// checkIDs checks Message-IDs given by people and adds angle brackets where
// they are missing.
func checkIDs(field string, ids []string) ([]string, error) {
	var out []string
	for _, text := range ids {
		if reason := badinput.NotOneLine(text); reason != "" {
			return nil, badinput.Field(field, text, reason)
		}
		for id := range strings.FieldsSeq(text) {
			id = strings.TrimSuffix(strings.TrimPrefix(id, "<"), ">")
			if reason := mailobject.CheckMessageID(id); reason != "" {
				return nil, badinput.Field(field, id, reason)
			}
			out = append(out, "<"+id+">")
		}
	}
	return out, nil
}

// maxUnsubscribe keeps an address, which cannot be folded, and what is around
// it within a line (RFC 5322 2.1.1).
const maxUnsubscribe = 900

// checkUnsubscribe checks the addresses of List-Unsubscribe (RFC 2369 3.2).
func checkUnsubscribe(list []string) error {
	for _, s := range list {
		u, err := url.Parse(s)
		if err != nil || !mimetext.IsASCII(s) || strings.ContainsAny(s, "<>, \t\r\n\x00") {
			return badinput.Field("list-unsubscribe", s, "is not a URL; non-ASCII characters and commas must be percent-encoded")
		}
		if len(s) > maxUnsubscribe {
			return badinput.Field("list-unsubscribe", s, fmt.Sprintf("has %d octets, at most %d: it is on one line", len(s), maxUnsubscribe))
		}
		switch {
		case (u.Scheme == "https" || u.Scheme == "http") && u.Host != "":
		case u.Scheme == "mailto" && strings.Contains(u.Opaque, "@"):
		default:
			return badinput.Field("list-unsubscribe", s, "must be https://HOST/... or mailto:USER@DOMAIN")
		}
	}
	return nil
}

// unsubscribeFields adds List-Unsubscribe-Post (RFC 8058 3.1) where there is an
// https address: Gmail and Yahoo ask bulk senders for it.
func unsubscribeFields(list []string) string {
	if len(list) == 0 {
		return ""
	}
	fields := mimetext.Fold("List-Unsubscribe", "<"+strings.Join(list, ">, <")+">", false)
	for _, s := range list {
		if strings.HasPrefix(s, "https:") {
			return fields + "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
		}
	}
	return fields
}

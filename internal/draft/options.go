package draft

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/attach"
	"github.com/smtpsend/smtpsend/internal/exit"
)

// Options are what a message is made of. A name of a file that is "-" is standard
// input, of which one may be; without a body the text is read from there.
type Options struct {
	From, Mailbox, Subject  string // "": as the settings and the template say
	To, Cc, Bcc, ReplyTo    []string
	ToFile, CcFile, BccFile []string // files of addresses, one a line
	Text, TextFile          string
	HTML, HTMLFile          string
	MarkdownFile            string
	Charset                 string   // of files and standard input; "": UTF-8, or what is likely
	Embed                   bool     // send along the local images that the HTML names
	SkipEmpty               bool     // ErrEmpty when there is nothing to say
	Attach, Inline, Header  []string // FILE, NAME=FILE or a pattern; CID=FILE; Name: value
	Priority, InReplyTo     string
	References, Unsubscribe []string
	Template, Data          string
	AttachDir               string   // of the files that the template attaches; "": the template's
	Set                     []string // KEY=VALUE
	At                      string   // when to submit; "": as the template says
	Message                 string   // a ready message in the place of all this
	Save, Preview           string   // files to write

	// Given reports whether a field was given: an empty text is a text. Fields have
	// the names that Name gets.
	Given func(field string) bool
	// Name is what the caller calls a field, such as --text-file for "text-file"; nil
	// leaves the names as they are. Errors and warnings have it.
	Name func(field string) string
}

func (o *Options) given(field string) bool { return o.Given != nil && o.Given(field) }

func (o *Options) name(field string) string {
	if o.Name == nil {
		return field
	}
	return o.Name(field)
}

// exclusive are the fields that contradict each other.
var exclusive = [][2]string{
	{"text", "text-file"}, {"html", "html-file"}, {"markdown-file", "html"}, {"markdown-file", "html-file"},
	{"template", "text"}, {"template", "text-file"}, {"template", "html"}, {"template", "html-file"}, {"template", "markdown-file"},
	{"message", "text"}, {"message", "text-file"}, {"message", "html"}, {"message", "html-file"}, {"message", "markdown-file"},
	{"message", "template"}, {"message", "attach"}, {"message", "inline"}, {"message", "subject"}, {"message", "header"},
	{"message", "reply-to"}, {"message", "preview"}, {"message", "priority"}, {"message", "in-reply-to"},
	{"message", "references"}, {"message", "list-unsubscribe"}, {"message", "embed"}, {"message", "skip-empty"}, {"message", "charset"},
}

// Check refuses fields that contradict each other, or that mean nothing, as an error
// in the command line. It reads nothing.
func (o *Options) Check() error {
	for _, pair := range exclusive {
		if o.given(pair[0]) && o.given(pair[1]) {
			return exit.Usagef("%s and %s exclude each other", o.name(pair[0]), o.name(pair[1]))
		}
	}
	if from := o.FromStdin(); len(from) > 1 {
		return exit.Usagef("only one of %s and %s can be standard input", from[0], from[1])
	}
	for _, field := range []string{"text-file", "html-file", "markdown-file", "template", "data", "message", "save", "preview"} {
		if o.given(field) && o.fileOf(field) == "" { // a variable of the shell that is not set
			return exit.Usagef("%s \"\": is not the name of a file", o.name(field))
		}
	}
	forTemplate := o.Data != "" || len(o.Set) > 0 || o.AttachDir != ""
	if forTemplate && o.Template == "" {
		return exit.Usagef("%s, %s and %s need %s", o.name("data"), o.name("set"), o.name("attach-dir"), o.name("template"))
	}
	for _, text := range append([]string{o.Subject}, o.Header...) {
		if o.Template != "" && strings.Contains(text, "{{") {
			return exit.Usagef("%q: flags of send are text and are not filled in: write it in the front matter of %s", text, o.name("template"))
		}
	}
	return o.checkBody()
}

func (o *Options) checkBody() error {
	hasHTML := o.given("html") || o.given("html-file") || o.given("markdown-file") || o.given("template")
	if o.Embed && !hasHTML {
		return exit.Usagef("%s needs an HTML body that names images: %s, %s, %s or %s",
			o.name("embed"), o.name("html"), o.name("html-file"), o.name("markdown-file"), o.name("template"))
	}
	if o.given("charset") && len(o.FromStdin()) == 0 && !o.readsText() {
		return exit.Usagef("%s needs a text file or standard input, and neither is read", o.name("charset"))
	}
	return nil
}

// readsText reports whether a file of text is named.
func (o *Options) readsText() bool {
	return o.TextFile+o.HTMLFile+o.MarkdownFile+o.Template+o.Data != "" || len(o.ToFile)+len(o.CcFile)+len(o.BccFile) > 0
}

// fileOf is the value of a field that takes one file.
func (o *Options) fileOf(field string) string {
	switch field {
	case "text-file":
		return o.TextFile
	case "html-file":
		return o.HTMLFile
	case "markdown-file":
		return o.MarkdownFile
	case "template":
		return o.Template
	case "data":
		return o.Data
	case "message":
		return o.Message
	case "save":
		return o.Save
	case "preview":
		return o.Preview
	}
	return ""
}

// FromStdin names what is read from standard input; without a body it is the text.
func (o *Options) FromStdin() (what []string) {
	for _, field := range []string{"text-file", "html-file", "markdown-file", "data", "message", "template"} {
		if o.fileOf(field) == "-" {
			what = append(what, o.name(field))
		}
	}
	for _, list := range o.addressLists() {
		for _, file := range list.files {
			if file == "-" {
				what = append(what, o.name(list.field+"-file"))
			}
		}
	}
	for _, value := range o.Attach {
		if attach.IsStdin(value) {
			what = append(what, o.name("attach"))
		}
	}
	for _, value := range o.Inline {
		if attach.IsStdin(value) {
			what = append(what, o.name("inline"))
		}
	}
	if o.Message == "" && o.Template == "" && !o.hasBody() {
		what = append(what, "the text")
	}
	return what
}

// hasBody reports whether a body is given, which may be empty.
func (o *Options) hasBody() bool {
	return o.given("text") || o.given("text-file") || o.given("html") || o.given("html-file") || o.given("markdown-file")
}

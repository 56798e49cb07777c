package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/smtpsend/smtpsend/internal/draft"
)

// sendFlags are what "send" is told.
type sendFlags struct {
	draft.Options
	dryRun, noPipelining bool
	noChunking           bool
	allOrNone            bool
	attempts             int
	queue                bool
	key                  string
}

// define declares the flags of send, in the order in which help shows them:
// who, what, how.
func (s *sendFlags) define(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVarP(&s.From, "from", "r", "", "`ADDRESS` in From, with or without a display name (default SMTPSEND_MAIL_SENDER)")
	f.Var((*repeated)(&s.To), "to", "recipient `ADDRESS`; repeatable, several separated by commas")
	f.VarP((*repeated)(&s.Cc), "cc", "c", "`ADDRESS` in Cc; repeatable")
	f.VarP((*repeated)(&s.Bcc), "bcc", "b", "`ADDRESS` in Bcc: a recipient whom no other recipient sees; repeatable")
	f.Var((*repeated)(&s.ToFile), "to-file", "recipients from `FILE`, one address on each line, # for comments, - for standard input; repeatable")
	f.Var((*repeated)(&s.CcFile), "cc-file", "recipients in Cc from `FILE`; repeatable")
	f.Var((*repeated)(&s.BccFile), "bcc-file", "recipients in Bcc from `FILE`; repeatable")
	f.Var((*repeated)(&s.ReplyTo), "reply-to", "`ADDRESS` that replies go to; repeatable")
	f.StringVar(&s.Mailbox, "mailbox", "", "submit as the mailbox `ADDRESS` (default SMTPSEND_SMTP_USER_NAME, else From)")
	f.StringVarP(&s.Subject, "subject", "s", "", "subject `TEXT`")
	s.defineBody(f)
	f.BoolVar(&s.dryRun, "dry-run", false, "compose and check, but open no connection")
	f.StringVar(&s.Save, "save", "", "write the message, as it is sent, to `FILE`.eml")
	f.StringVar(&s.Preview, "preview", "", "write a page to `FILE`.html that shows the message as its recipient will see it")
	f.BoolVar(&s.allOrNone, "all-or-none", false, "submit nothing when a recipient is refused")
	f.IntVar(&s.attempts, "attempts", 0, "try at most `N` times (default: as often as --timeout allows)")
	f.BoolVar(&s.queue, "queue", false, "put the message into the outbox instead of submitting it (see SMTPSEND_QUEUE)")
	f.StringVar(&s.At, "at", "", "do not submit the message before `TIME`, such as '2026-12-24 08:00'; only with the outbox")
	f.StringVar(&s.key, "key", "", "put only one message with this `KEY` into the outbox, even if the command runs several times")
	f.BoolVar(&s.noChunking, "no-chunking", false, "send the content with DATA only, for servers that fail on BDAT")
	f.BoolVar(&s.noPipelining, "no-pipelining", false, "send one command at a time, for servers that fail on several at once")
}

func (s *sendFlags) defineBody(f *pflag.FlagSet) {
	f.StringVar(&s.Text, "text", "", "plain `TEXT` body")
	f.StringVar(&s.TextFile, "text-file", "", "plain text body from `FILE`, - for standard input")
	f.StringVar(&s.HTML, "html", "", "`HTML` body; a text body is made from it unless one is given")
	f.StringVar(&s.HTMLFile, "html-file", "", "HTML body from `FILE`, - for standard input")
	f.StringVar(&s.MarkdownFile, "markdown-file", "", "Markdown body from `FILE`, - for standard input: sent as HTML and text")
	f.StringVar(&s.Charset, "charset", "", "text files and standard input are in charset `NAME`, such as cp850 or windows-1252 (default UTF-8)")
	f.BoolVar(&s.Embed, "embed", false, "include the local images that the HTML names, also in styles and backgrounds")
	f.Var((*repeated)(&s.Inline), "inline", "`CID=FILE`: include FILE as the image that the HTML shows as cid:CID; repeatable")
	f.VarP((*repeated)(&s.Attach), "attach", "A", "attach `FILE`, NAME=FILE, a pattern such as 'out/*.pdf' or 'out/**/*.pdf', a pipe, or - for standard input; repeatable")
	f.BoolVarP(&s.SkipEmpty, "skip-empty", "E", false, "submit nothing when the body is empty and nothing is attached")
	f.VarP((*repeated)(&s.Header), "header", "H", "extra header field, as `'Name: value'`; repeatable")
	f.StringVar(&s.Priority, "priority", "", "`LEVEL` high, normal or low")
	f.StringVar(&s.InReplyTo, "in-reply-to", "", "`MESSAGE-ID` of the message that this one answers")
	f.Var((*repeated)(&s.References), "references", "`MESSAGE-ID` of the thread, oldest first; repeatable")
	f.Var((*repeated)(&s.Unsubscribe), "list-unsubscribe", "https: or mailto: `ADDRESS` in List-Unsubscribe; repeatable")
	f.StringVar(&s.Template, "template", "", "template `FILE` with the body, and with subject and recipients in its front matter; - for standard input")
	f.StringVar(&s.AttachDir, "attach-dir", "", "the files that the template attaches are in `DIR` (default: the template's directory)")
	f.StringVar(&s.Data, "data", "", "data for the template from `FILE`.json or .yaml, - for standard input")
	f.Var((*repeated)(&s.Set), "set", "one value for the template, as `KEY=VALUE`; repeatable")
	f.StringVar(&s.Message, "message", "", "submit a ready message from `FILE`, - for standard input, to the recipients of its header unless others are given")
}

// repeated is a flag that may be given several times. pflag's own writes its default in
// CSV, with a buffer for each flag, at every start.
type repeated []string

func (r *repeated) String() string { return strings.Join(*r, ", ") }

func (r *repeated) Type() string { return "stringArray" }

func (r *repeated) Set(value string) error {
	*r = append(*r, value)
	return nil
}

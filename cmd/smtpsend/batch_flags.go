package main

import "github.com/spf13/cobra"

// define declares the flags of batch, in the order in which help shows them.
func (b *batchFlags) define(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&b.Template, "template", "", "template `FILE` with the body, and with subject and recipients in its front matter")
	f.StringVarP(&b.Subject, "subject", "s", "", "subject `TEMPLATE`")
	f.StringArrayVar(&b.To, "to", nil, "recipient `TEMPLATE`; repeatable (default '{{.email}}' when nothing names a recipient)")
	f.StringArrayVarP(&b.Cc, "cc", "c", nil, "Cc `TEMPLATE`; repeatable")
	f.StringArrayVarP(&b.Bcc, "bcc", "b", nil, "Bcc `TEMPLATE`: a recipient whom no other recipient sees; repeatable")
	f.StringVarP(&b.From, "from", "r", "", "From `TEMPLATE` (default SMTPSEND_MAIL_SENDER)")
	f.StringVar(&b.Mailbox, "mailbox", "", "`TEMPLATE` of the mailbox to submit as (default SMTPSEND_SMTP_USER_NAME, else From)")
	f.StringVar(&b.TextFile, "text-file", "", "plain text body template from `FILE`")
	f.StringVar(&b.HTMLFile, "html-file", "", "HTML body template from `FILE`")
	f.StringVar(&b.MarkdownFile, "markdown-file", "", "Markdown body template from `FILE`")
	f.StringVar(&b.charset, "charset", "", "rows, data and text files are in charset `NAME`, such as cp850 or windows-1252 (default UTF-8)")
	f.StringArrayVarP(&b.Attach, "attach", "A", nil, "`TEMPLATE` of the name of a file to attach; or FILE, NAME=FILE or a pattern for every row; repeatable")
	f.StringVar(&b.AttachDir, "attach-dir", "", "the files that templates and rows name are in `DIR` (default: the template's directory)")
	f.StringArrayVarP(&b.Header, "header", "H", nil, "extra header field, as `'Name: TEMPLATE'`; repeatable")
	f.StringVar(&b.At, "at", "", "`TEMPLATE` of the time to submit at, such as '{{.when}}' or '2026-12-24 08:00'")
	f.StringVar(&b.name, "name", "", "`NAME` of the batch (default: the name of the file of rows)")
	f.StringVar(&b.key, "key", "", "`COLUMN` that names a row (default: a hash of the row)")
	f.BoolVar(&b.check, "check", false, "check all rows and print the forecast, but submit nothing")
	f.StringVar(&b.dryRun, "dry-run", "", "write the messages and a page that lists them into `DIR`, but submit nothing")
	f.BoolVar(&b.addOnly, "add-only", false, "only put the messages into the outbox; queue run submits them")
	f.BoolVar(&b.yes, "yes", false, "start even when the limits make the batch last more than a day")
	f.StringVar(&b.report, "report", "", "when the batch ends, write outcome, reply, queue id and time of each row to `FILE`.csv")
}

package main

import (
	"slices"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/view"
)

// resubmission is what a message that is kept needs to be submitted again: as its
// caller had it, or for those who do not have it yet.
type resubmission struct {
	given    []string // the arguments of sendmail as they were; right while nobody has the message
	sender   string
	fullName string
	dsn      mailobject.DSN
	args     *sendmailArgs
}

// arguments are those with which sendmail submits the kept message again, to the
// recipients that are open and to no others, whatever its header says: without -t,
// and each recipient after "--". Where none is open they are those that were
// refused, who get it when what they were refused for is fixed. After a doubt there
// are none: whoever wants it sent again has to look first.
func (a resubmission) arguments(done *delivery) []string {
	v := done.shown
	if len(v.Recipients) == 0 {
		return append(append(a.options(), "--"), done.mail.Envelope.ForwardPaths...)
	}
	if slices.ContainsFunc(v.Recipients, func(r view.Recipient) bool { return r.Outcome == smtp.InDoubt }) {
		return nil
	}
	paths := pathsOf(v, func(r view.Recipient) bool { return r.Outcome.Open() && v.Queued == 0 })
	if len(paths) == 0 {
		paths = pathsOf(v, func(r view.Recipient) bool { return r.Outcome == smtp.Permanent })
	}
	if len(paths) == 0 {
		return nil
	}
	return append(append(a.options(), "--"), paths...)
}

func pathsOf(v view.Receipt, which func(view.Recipient) bool) []string {
	var paths []string
	for _, r := range v.Recipients {
		if which(r) {
			paths = append(paths, r.ForwardPath)
		}
	}
	return paths
}

// options are those that change what is submitted, or as whom. -i is one of them:
// what is kept is the whole message, which may have a line with only a dot.
func (a resubmission) options() []string {
	list := []string{"-i"}
	for _, o := range []struct{ letter, value string }{
		{"-F", a.fullName}, {"-N", a.dsn.Notify}, {"-R", a.dsn.Return}, {"-V", a.dsn.EnvelopeID},
	} {
		if o.value != "" {
			list = append(list, o.letter, o.value)
		}
	}
	if a.sender != "" {
		list = append(list, "-f", a.sender)
	}
	if a.args.timeout != 0 {
		list = append(list, "--timeout", a.args.timeout.String())
	}
	for _, o := range []struct {
		name  string
		given bool
	}{
		{"--force-from", a.args.settings["FORCE_FROM"] != ""}, {"--reencode-long-lines", a.args.settings["REENCODE_LONG_LINES"] != ""},
		{"--read-envelope-from", a.args.readFrom}, {"--queue", a.args.settings["QUEUE"] != ""},
	} {
		if o.given {
			list = append(list, o.name)
		}
	}
	return list
}

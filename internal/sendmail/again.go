package sendmail

import (
	"slices"

	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/view"
)

// resubmission is what it takes to submit a message that is kept again.
type resubmission struct {
	args    *Arguments
	request request
}

// arguments are those with which sendmail submits the kept message again, to the
// recipients that are open and to no others, whatever its header says: without -t,
// and each recipient after "--". Where none is open they are those that were
// refused, who get it when what they were refused for is fixed. After a doubt there
// are none: whoever wants it sent again has to look first.
func (r resubmission) arguments(done *attempt) []string {
	shown := done.shown
	if len(shown.Recipients) == 0 {
		return append(append(r.options(), "--"), done.mail.Envelope.ForwardPaths...)
	}
	if slices.ContainsFunc(shown.Recipients, func(to view.Recipient) bool { return to.Outcome == smtp.InDoubt }) {
		return nil
	}
	paths := pathsOf(shown, func(to view.Recipient) bool { return to.Outcome.Open() && shown.Queued == 0 })
	if len(paths) == 0 {
		paths = pathsOf(shown, func(to view.Recipient) bool { return to.Outcome == smtp.Permanent })
	}
	if len(paths) == 0 {
		return nil
	}
	return append(append(r.options(), "--"), paths...)
}

// pathsOf are the forward-paths of some recipients.
func pathsOf(shown view.Receipt, which func(view.Recipient) bool) []string {
	var paths []string
	for _, r := range shown.Recipients {
		if which(r) {
			paths = append(paths, r.ForwardPath)
		}
	}
	return paths
}

// options are those that change what is submitted, or as whom. -i is one of them:
// what is kept is the whole message, which may have a line with only a dot.
func (r resubmission) options() []string {
	list := []string{"-i"}
	for _, o := range []struct{ letter, value string }{
		{"-F", r.request.fullName}, {"-N", r.request.dsn.Notify}, {"-R", r.request.dsn.Return}, {"-V", r.request.dsn.EnvelopeID},
	} {
		if o.value != "" {
			list = append(list, o.letter, o.value)
		}
	}
	if r.request.sender != "" {
		list = append(list, "-f", r.request.sender)
	}
	if r.args.Timeout != 0 {
		list = append(list, "--timeout", r.args.Timeout.String())
	}
	for _, o := range []struct {
		name  string
		given bool
	}{
		{"--force-from", r.args.Settings["FORCE_FROM"] != ""}, {"--reencode-long-lines", r.args.Settings["REENCODE_LONG_LINES"] != ""},
		{"--read-envelope-from", r.args.SenderFromHeader}, {"--queue", r.args.Settings["QUEUE"] != ""},
	} {
		if o.given {
			list = append(list, o.name)
		}
	}
	return list
}

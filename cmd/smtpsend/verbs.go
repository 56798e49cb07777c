package main

import "github.com/spf13/cobra"

// listedVerb is something that smtpsend can do.
type listedVerb struct {
	name      string
	make      func(*application) *cobra.Command
	submits   string // which command of it submits mail: itself, or one below it; "": none
	tellsTime bool   // it writes a time into a message, or shows one
	immediate bool   // it waits for nothing, so that a signal may end it as the system does
}

// verbs is the one table of what smtpsend can do.
var verbs = [...]listedVerb{
	{name: "send", make: newSend, submits: "send", tellsTime: true},
	{name: "sendmail", make: newSendmail, submits: "sendmail", tellsTime: true},
	{name: "link-sendmail", make: newLinkSendmail},
	{name: "batch", make: newBatch, submits: "batch", tellsTime: true},
	{name: "queue", make: newQueue, submits: "run", tellsTime: true},
	{name: "relay", make: newRelay, submits: "relay", tellsTime: true},
	{name: "doctor", make: newDoctor, tellsTime: true},
	{name: "explain", make: newExplain},
	{name: "expiry", make: newExpiry, tellsTime: true},
	{name: "token", make: newToken, tellsTime: true},
	{name: "config", make: newConfig},
	{name: "secret", make: newSecret},
	{name: "cert", make: newCert, tellsTime: true},
	{name: "sandbox", make: newSandbox, tellsTime: true},
	{name: "demo", make: newDemo, tellsTime: true},
	{name: "version", make: newVersion, immediate: true},
}

// verbNamed finds the verb that the first argument names. The others, which are most
// of the work of a start, are not made for it. It is nil when the flags come first, or
// when all verbs are asked for, as by help.
func verbNamed(args []string) *listedVerb {
	for i := range verbs {
		if len(args) > 0 && args[0] == verbs[i].name {
			return &verbs[i]
		}
	}
	return nil
}

// verbOf is the verb that cmd is, or belongs to; the zero value when there is none, as
// for help.
func verbOf(cmd *cobra.Command) listedVerb {
	for cmd.HasParent() && cmd.Parent().HasParent() {
		cmd = cmd.Parent()
	}
	if v := verbNamed([]string{cmd.Name()}); v != nil {
		return *v
	}
	return listedVerb{}
}

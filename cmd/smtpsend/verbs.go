package main

import "github.com/spf13/cobra"

// listedVerb is something that smtpsend can do.
type listedVerb struct {
	name      string
	make      func(*application) *cobra.Command
	immediate bool // it waits for nothing, so that a signal may end it as the system does
}

// verbs is the one table of what smtpsend can do.
var verbs = [...]listedVerb{
	{name: "send", make: newSend}, {name: "sendmail", make: newSendmail}, {name: "link-sendmail", make: newLinkSendmail}, {name: "batch", make: newBatch}, {name: "queue", make: newQueue}, {name: "relay", make: newRelay},
	{name: "doctor", make: newDoctor}, {name: "explain", make: newExplain}, {name: "token", make: newToken}, {name: "config", make: newConfig}, {name: "secret", make: newSecret},
	{name: "sandbox", make: newSandbox}, {name: "demo", make: newDemo}, {name: "version", make: newVersion, immediate: true},
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

//go:build linux

package interop_test

import (
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// fault is one way in which a server fails.
type fault struct {
	name    string
	breaks  []breakage
	options map[string]any // of smtp-server; with them it fails until it is healed

	secure   bool // on a port with TLS from the start
	two      bool // a message has two recipients
	silent   bool // it may not strike
	harmless bool // a server may be like this: the message is accepted
	nightly  bool // takes long
}

// persistence is how often a fault strikes.
type persistence string

const (
	once   persistence = "once"
	always persistence = "always" // until the server is healed
)

// steps are where a fault can strike.
var steps = []string{"connect", "secure", "auth", "mail", "rcpt", "data", "eod"}

// perMessage reports a step that each message of a session passes.
func perMessage(step string) bool {
	switch step {
	case "mail", "rcpt", "data", "body", "eod":
		return true
	}
	return false
}

// faultTable is every fault.
func faultTable() (all []fault) {
	all = append(all, presetFaults()...)
	for _, step := range steps {
		all = append(all,
			one(step+" drop", breakage{At: step, Do: "drop"}),
			one(step+" 421", breakage{At: step, Do: "reply", Reply: "421 4.3.2 Service shutting down"}),
			one(step+" 451", breakage{At: step, Do: "reply", Reply: "451 4.3.0 Try again later"}),
			one(step+" 554", breakage{At: step, Do: "reply", Reply: "554 5.3.2 No service now"}),
		)
	}
	all = append(all, slowFaults()...)
	all = append(all, doubtFaults()...)
	all = append(all, recipientFaults()...)
	all = append(all, misplacedFaults()...)
	all = append(all, hugeFaults()...)
	return append(all, setupFaults()...)
}

func one(name string, breaks ...breakage) fault { return fault{name: name, breaks: breaks} }

// presetFaults are the replies of the catalogue, each where it is met.
func presetFaults() (all []fault) {
	for _, e := range diagnosis.Entries() {
		if !e.ServerCan || e.Fault != "" || e.Token != nil || e.Sample == "" || len(e.Stages) == 0 {
			continue
		}
		step := map[smtp.Stage]string{
			smtp.StageEHLO: "ehlo", smtp.StageAuth: "response", smtp.StageMail: "mail",
			smtp.StageRcpt: "rcpt", smtp.StageContent: "eod", smtp.StageGreeting: "connect",
		}[e.Stages[0]]
		all = append(all, one("preset "+e.Code, breakage{At: step, Do: "reply", Reply: rawReply(e.Sample)}))
	}
	return all
}

// rawReply gives the lines of a sample their hyphens.
func rawReply(sample string) string {
	lines := strings.Split(sample, "\n")
	code := lines[0][:3]
	for i, line := range lines {
		line = strings.TrimSpace(strings.TrimPrefix(line, code))
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		lines[i] = code + sep + strings.TrimLeft(line, "- ")
	}
	return strings.Join(lines, "\n")
}

func slowFaults() (all []fault) {
	for _, step := range steps {
		if step == "secure" {
			continue // nothing is said there
		}
		f := one(step+" 1.5 s", breakage{At: step, Do: "delay", Delay: 1500})
		f.harmless = true
		all = append(all, f)
		f = one(step+" 9 s", breakage{At: step, Do: "delay", Delay: 9000})
		f.harmless, f.nightly = true, true
		all = append(all, f)
	}
	return all
}

func doubtFaults() []fault {
	return []fault{
		one("250 lost, stored", breakage{At: "eod", Do: "lose", Store: true}),
		one("250 lost, not stored", breakage{At: "eod", Do: "lose"}),
		one("content cut", breakage{At: "body", Do: "drop"}),
		one("SASL challenge, short", breakage{At: "auth", Do: "challenge", Delay: 20, Reply: "535 5.7.3 Authentication unsuccessful"}),
		one("SASL challenge of 6 KB", breakage{At: "auth", Do: "challenge", Delay: 4500, Reply: "535 5.7.3 Authentication unsuccessful"}),
	}
}

// recipientFaults strike one of two recipients.
func recipientFaults() []fault {
	second := func(do, reply string) breakage { return breakage{At: "rcpt", Do: do, Reply: reply, Match: "<two"} }
	all := []fault{
		one("two 550", second("reply", "550 5.1.1 No such user")),
		one("two 451", second("reply", "451 4.3.0 Try again later")),
		one("two 452 too many", second("reply", "452 4.5.3 Too many recipients")),
		one("two dropped", second("drop", "")),
		one("two 550, 250 lost", second("reply", "550 5.1.1 No such user"), breakage{At: "eod", Do: "lose", Store: true}),
		one("two 550, 451 at the dot", second("reply", "550 5.1.1 No such user"), breakage{At: "eod", Do: "reply", Reply: "451 4.3.0 Try again later"}),
		one("both 550", breakage{At: "rcpt", Do: "reply", Reply: "550 5.1.1 No such user"}),
	}
	for i := range all {
		all[i].two = true
	}
	return all
}

// misplacedFaults are replies where they do not belong.
func misplacedFaults() (all []fault) {
	for _, step := range []string{"connect", "ehlo", "auth", "mail", "rcpt", "data", "eod"} {
		for _, code := range []string{"354", "150", "666"} {
			if step != "data" || code != "354" {
				all = append(all, one(step+" "+code, breakage{At: step, Do: "reply", Reply: code + " what"}))
			}
		}
	}
	for _, step := range []string{"mail", "rcpt", "eod"} {
		for _, code := range []string{"200", "251", "299"} {
			f := one(step+" "+code, breakage{At: step, Do: "say", Reply: code + " fine"})
			f.harmless = code != "299" // which RFC 5321 4.2 does not allow
			all = append(all, f)
		}
	}
	return append(all, one("data 250", breakage{At: "data", Do: "reply", Reply: "250 fine"}),
		one("connect 250", breakage{At: "connect", Do: "reply", Reply: "250 fine"}))
}

// hugeFaults are replies that nobody writes.
func hugeFaults() (all []fault) {
	lines := strings.Repeat("550-5.7.1 no\n", 199) + "550 5.7.1 no"
	long := "550 5.7.1 " + strings.Repeat("x", 100_000)
	control := "550 5.7.1 \x1b[2J\x07\x08\x9b31m\x00\x7f no"
	for _, step := range []string{"connect", "auth", "mail", "rcpt", "eod"} {
		for _, reply := range [][2]string{{"200 lines", lines}, {"100 KB", long}, {"control characters", control}} {
			all = append(all, one(step+" "+reply[0], breakage{At: step, Do: "reply", Reply: reply[1]}))
		}
	}
	return all
}

// setupFaults are servers that are set up wrongly, or otherwise.
func setupFaults() (all []fault) {
	add := func(f fault, options map[string]any) {
		f.options, f.silent = options, true
		all = append(all, f)
	}
	for _, cert := range []string{"wrong-host", "expired", "self-signed"} {
		add(fault{name: "certificate " + cert}, map[string]any{"cert": cert})
		add(fault{name: "certificate " + cert + ", TLS at once", secure: true}, map[string]any{"cert": cert})
	}
	hidden := map[string]any{"hideSTARTTLS": true, "authMethods": []string{}}
	for _, word := range []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"} {
		add(fault{name: "hidden " + word, harmless: true}, map[string]any{"hide" + word: true})
		hidden["hide"+word] = true
	}
	add(fault{name: "hidden STARTTLS"}, map[string]any{"hideSTARTTLS": true})
	add(fault{name: "hidden everything"}, hidden)
	add(fault{name: "AUTH LOGIN alone"}, map[string]any{"authMethods": []string{"LOGIN"}})
	add(fault{name: "AUTH disabled"}, map[string]any{"disabledCommands": []string{"AUTH"}})
	add(fault{name: "STARTTLS disabled"}, map[string]any{"disabledCommands": []string{"STARTTLS"}})
	add(fault{name: "SIZE 100"}, map[string]any{"size": 100})
	add(fault{name: "maxClients 1", harmless: true}, map[string]any{"maxClients": 1})
	busy := one("per minute", breakage{At: "mail", Do: "reply", After: 2, Times: 3, Reply: "432 4.3.2 Concurrent connections limit exceeded"})
	busy.harmless, busy.silent = true, true
	return append(all, busy)
}

// variants are the fault with each persistence that it can have.
func (f fault) variants() []persistence {
	if f.options != nil {
		return []persistence{always}
	}
	if f.harmless && f.breaks[0].Times > 0 {
		return []persistence{always}
	}
	return []persistence{once, always}
}

// with gives the breakages of a fault their times. A batch meets it at its second
// message, where its step is a message's, and three times at the most.
func (f fault) with(p persistence, inBatch bool) []breakage {
	var list []breakage
	for _, b := range f.breaks {
		if b.Times == 0 && p == once {
			b.Times = 1
		}
		if b.Times == 0 && inBatch {
			b.Times = 3
		}
		if inBatch && perMessage(b.At) && b.Match == "" && b.After == 0 {
			b.After = 1
		}
		list = append(list, b)
	}
	return list
}

func (f fault) title(p persistence) string { return fmt.Sprintf("%s, %s", f.name, p) }

package view_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/doctor"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/filecheck"
	"github.com/smtpsend/smtpsend/internal/relay/observation"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/relay/sessions"
	"github.com/smtpsend/smtpsend/internal/rows"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/tally"
	"github.com/smtpsend/smtpsend/internal/view"
	"github.com/smtpsend/smtpsend/internal/view/certview"
	"github.com/smtpsend/smtpsend/internal/view/expiryview"
	"github.com/smtpsend/smtpsend/internal/view/relayview"
	"github.com/smtpsend/smtpsend/tokencache"
)

// at is when all examples are.
var at = time.Date(2026, 11, 17, 8, 30, 0, 0, time.UTC)

// ends is an example of what ends by itself.
var ends = []expiry.Found{{What: expiry.Certificate, Name: "client.pem", State: expiry.EndsSoon, Ends: at.AddDate(0, 0, 29), Day: "2026-12-16", Days: 29, Text: "the client certificate (client.pem) ends on 2026-12-16"}}

// finding is an example that no change of the catalogue touches.
var finding = diagnosis.Finding{
	Code: "an-example", Class: diagnosis.ClassConfiguration, Title: "A mailbox is not <there>", Cause: "No one has made it.",
	Fixes:      []diagnosis.Fix{{Text: "Make it.", Commands: []string{"New-Mailbox app@contoso.example"}, Who: "Exchange Administrator"}},
	ClientDoes: "It does not try again.", ReadOn: []string{"https://learn.microsoft.com/"}, Sure: "documented",
	Matched: []string{"550 5.1.1"}, Text: "550 5.1.1 no such mailbox",
}

// objects has an example of each object that --json prints, by the name of its file.
func objects() map[string]stdio.Object {
	mail := &mailobject.Mail{
		Envelope:  mailobject.Envelope{ReversePath: "app@contoso.example", ForwardPaths: []string{"a@contoso.example", "b@contoso.example"}},
		MessageID: "<1@contoso.example>", Content: mailobject.NewContent(false, mailobject.Literal("Subject: x\r\n\r\nx\r\n")),
	}
	all := map[string]stdio.Object{
		"relaycheck": relayview.Check{ExitCode: exit.Config, Result: filecheck.Result{
			File: "relay.yaml", Problems: []relayfile.Problem{{Line: 3, Key: "listeners[0].policy", Value: "all", Reason: "must be one of ip, auth"}},
			Warnings: []relayfile.Problem{{Reason: "no client has a budget"}},
		}},
		"expiryreport":   expiryview.New("certificate, by SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE", []expiry.Item{{Kind: expiry.Certificate, Name: "client.pem", Ends: at.AddDate(0, 0, 29)}}, at, expiry.Notice),
		"relayuser":      relayview.User{File: "/etc/smtpsend/relay-users", Name: "scanner", Outcome: "added", Password: "abcd2345abcd2345", ExitCode: exit.OK},
		"relayusers":     relayview.Users{File: "/etc/smtpsend/relay-users", Users: []relayview.UserLine{{Name: "scanner", Hash: "argon2id", Line: 1}}, ExitCode: exit.OK},
		"relayreloaded":  relayview.Reloaded{ExitCode: exit.OK},
		"failed":         view.Failed{Error: "no recipient", ExitCode: exit.Usage},
		"failed-token":   view.Failed{Error: "no token", ExitCode: exit.NotAuthorised, Finding: &finding},
		"notsubmitted":   view.NewNotSubmitted(mail, "--dry-run"),
		"queued":         view.NewQueued("abc-1", mail, at),
		"queued-now":     view.NewQueued("abc-1", mail, time.Time{}),
		"queuedbefore":   view.NewQueuedBefore("abc-1"),
		"receipt":        receipt(),
		"token":          view.NewToken(tokencache.Entry{Token: &oauth2.Token{AccessToken: accessToken(), Expiry: at.Add(time.Hour)}, Obtained: at, Cached: true}, at.Add(time.Minute)),
		"token-opaque":   view.NewToken(tokencache.Entry{Token: &oauth2.Token{AccessToken: "opaque", Expiry: at.Add(time.Hour)}, Obtained: at}, at),
		"explained":      view.NewExplained([]diagnosis.Finding{finding}),
		"explained-not":  view.NewExplained(nil),
		"catalogue":      view.NewCatalogue([]diagnosis.Entry{{Code: finding.Code, Class: finding.Class, Title: finding.Title}}),
		"report":         report(),
		"version":        view.Version{Version: "v1.2.3", Revision: "0123456789abcdef", Go: "go1.26", Platform: "linux/amd64"},
		"notices":        view.Notices{Notices: "Notices of third parties in smtpsend\n"},
		"sandbox":        view.Sandbox{SMTP: "127.0.0.1:2525", URL: "https://127.0.0.1:8443", EnvFile: "e.env"},
		"faults":         view.Faults{About: map[string]string{"a-fault": "fails", "other-fault": "fails otherwise"}},
		"demo":           view.Demo{SMTP: "127.0.0.1:2525", URL: "https://127.0.0.1:8443", Receipt: json.RawMessage(`{"schema_version": 1}`), Arrived: []view.Arrived{{ID: "1", Raw: "Subject: x\r\n\r\nx\r\n"}}},
		"settings":       view.Settings{EnvFile: "e.env", Credential: "client secret, by SMTPSEND_OFFICE_CLIENT_SECRET", Settings: []config.Shown{{Variable: "SMTPSEND_SMTP_PORT", Value: "587", Origin: "default"}, {Variable: "SMTPSEND_OFFICE_CLIENT_SECRET", Value: "[redacted]", Origin: "e.env:3", Secret: true}}},
		"settingscheck":  view.SettingsCheck{ExitCode: exit.Config, Credential: "client secret, by SMTPSEND_OFFICE_CLIENT_SECRET", Expiry: ends, Problems: []config.Problem{{Variable: "SMTPSEND_SMTP_PORT", Text: "is not a whole number", Severity: config.SeverityError, Source: config.Origin{Source: config.SourceEnvFile, Name: "SMTPSEND_SMTP_PORT", File: "e.env", Line: 2}}}},
		"secretcheck":    view.SecretCheck{Length: 40, Origin: config.Origin{Source: config.SourceEnvFile, Name: "SMTPSEND_OFFICE_CLIENT_SECRET", File: "e.env", Line: 3}},
		"backup":         view.Backup{File: "copy.db"},
		"acted":          view.NewActed(outbox.Retry, 2, nil),
		"acted-not":      view.NewActed(outbox.Hold, 0, []operator.Left{{QID: "abc-1"}, {QID: "abc-2", State: outbox.Sent}}),
		"mailboxacted":   view.MailboxActed{Action: outbox.Hold, Mailbox: "app@contoso.example"},
		"queuerun":       view.NewQueueRun(tally.Sum{Accepted: 1, Deferred: 2, Refused: 3, InDoubt: 4, StoppedMailboxes: 5, PausedMailboxes: 6, Ending: ending.Ending{InDoubt: 4}}),
		"mails-none":     view.NewMails(nil, false),
		"details-none":   view.NewDetails(nil, false),
		"mailboxes-none": view.NewMailboxes(nil),
	}
	all["relayobserved"] = relayview.NewObserved(&observation.Seen{Lost: 1, Clients: []observation.Client{{
		User: "erp", Places: []string{"192.0.2.17"}, Hellos: []string{"erp"}, Senders: []string{"", "a@contoso.example"}, Authors: []string{"a@contoso.example"}, Domains: []string{"contoso.example"},
		Listeners: []observation.Visited{{Address: "starttls://0.0.0.0:25", TLS: []string{"TLS 1.2 x"}, Oldest: 0x303, InClear: true, SignedIn: true}},
		More:      observation.More{Senders: true}, Learned: true, Sessions: 1, Messages: 2, Recipients: 3, Octets: 4, Largest: 5, Quirks: []string{"no-quit"}, First: at, Last: at,
	}}}, &observation.Proposal{Text: "listeners:\n", Users: []string{"erp"}, Notes: []string{"a note"}})
	maps.Copy(all, certificates())
	all["relayobserved-none"] = relayview.NewObserved(&observation.Seen{}, &observation.Proposal{})
	all["relaysessions-none"] = relayview.NewSessions(nil, false)
	all["relaysessions"] = relayview.NewSessions([]sessions.Record{
		{Kind: sessions.Refused, Time: at, Listener: "starttls://0.0.0.0:25", Address: "192.0.2.17", Hello: "printer", TLS: "TLS 1.2 x", Stage: event.StageAuth, Code: "an-example", Cause: "192.0.2.17 is an example", Mail: "a@contoso.example", Rcpt: "b@contoso.example", Name: "printer", Exposed: true, Reply: "535 5.7.8 no"},
		{Kind: sessions.Visited, Time: at, Listener: "smtp://127.0.0.1:25", Address: "uid 33", Client: "web", User: "web", Began: at.Add(-time.Second), Senders: []string{"a@contoso.example"}, Messages: 1, Octets: 2, Refusals: 3, Quirks: "no-quit"},
		{Kind: sessions.More, Time: at, Count: 512, Network: "192.0.2.0/24", Messages: 2},
	}, true)
	addBatch(all)
	addOutbox(all)
	return all
}

func addBatch(all map[string]stdio.Object) {
	all["forecast"] = view.NewForecast(batch.Forecast{Done: 1, Messages: 2, Recipients: 3, Used: 4, Mailboxes: 5, Days: 6, Ahead: 7, Takes: time.Minute, Last: at})
	all["forecast-now"] = view.NewForecast(batch.Forecast{Messages: 1, Recipients: 1, Mailboxes: 1, Days: 1, Takes: time.Second})
	all["batchpreview"] = view.BatchPreview{Messages: 2, Index: "out/index.html"}
	all["badrows"] = view.NewBadRows("rows.csv", batch.Checked{Rows: 3, Bad: 1, Problems: []rows.Error{{N: 2, Line: 3, Err: errors.New("no recipient")}}}, func(err error) error { return err })
	run := view.BatchRun{Name: "june", Rows: 9}
	end := batch.End{
		Account: batch.Account{Accepted: 1, Refused: 2, InDoubt: 3, Waiting: 4, Other: 5, Doubts: 6},
		Added:   batch.Added{New: 7, Known: 8}, NotTaken: 9, Ending: ending.Ending{InDoubt: 3},
	}
	all["batchend"] = view.NewBatchEnd(run, end)
	run.Failed = errors.New("the disk is full")
	all["batchend-failed"] = view.NewBatchEnd(run, end)
}

func addOutbox(all map[string]stdio.Object) {
	wait := &mailbox.WaitError{Mailbox: "app@contoso.example", Until: at.Add(time.Hour), Pause: mailbox.PauseThrottled, Text: "432 4.3.2 slow down"}
	mail := operator.Mail{
		QID: "abc-1", Mailbox: "app@contoso.example", State: outbox.Ready, Attempts: 1, InDoubt: 1, Row: "17", MessageID: "<1@contoso.example>",
		ReversePath: "app@contoso.example", Recipients: 2, Open: 1, Size: 249, Source: "batch", Code: 432, Kind: finding.Code, Text: "4.3.2 slow down",
		ServerID: "S1", CreatedAt: at, FinishedAt: at.Add(time.Hour), Why: operator.WhyMailbox, MailboxWait: wait, WaitsUntil: wait.Until, ProbeAt: at.Add(time.Minute),
	}
	all["mails"] = view.NewMails([]operator.Mail{mail, {QID: "abc-2", State: outbox.Sent, CreatedAt: at}}, true)
	all["details"] = view.NewDetails([]operator.Detail{{
		Mail:            mail,
		RecipientStates: []operator.RecipientDetail{{ForwardPath: "a@contoso.example", State: outbox.RecipientOpen, Code: 432, Text: "4.3.2 slow down"}},
		Events:          []outbox.Event{{At: at, Kind: outbox.EventRetry, Attempt: 1, Recipient: "a@contoso.example", Code: 432, Enhanced: "4.3.2", Text: "slow down", Took: 1500 * time.Microsecond}},
	}}, false)
	box := operator.Mailbox{
		Name: "app@contoso.example", Limits: mailbox.Limits{PerMinute: 30, RecipientsPerDay: 10_000}, Messages: 1, Recipients: 2,
		Counts: map[outbox.State]int{outbox.Ready: 1, outbox.Held: 2}, OldestDue: at, Pause: wait.Pause, Code: finding.Code, Wait: wait,
		WaitsUntil: wait.Until, Since: at, ProbeAt: at.Add(time.Minute),
	}
	all["mailboxes"] = view.NewMailboxes([]operator.Mailbox{box, {Name: "b@contoso.example"}})
	all["stats"] = view.NewStats([]operator.Mailbox{box}, map[outbox.State]int{outbox.Sent: 3}, at)
}

// receipt is one of a message that one recipient has and another not.
func receipt() view.Receipt {
	refused := &session.Error{Stage: smtp.StageDial, Err: errors.New("connection refused")}
	v := view.NewReceipt(&submission.Receipt{
		MessageID: "<1@contoso.example>", Mailbox: "app@contoso.example", ReversePath: "app@contoso.example", Server: "smtp.office365.com:587", Size: 249,
		Recipients: []smtp.Recipient{{ForwardPath: "a@contoso.example", Outcome: smtp.Accepted, Stage: smtp.StageContent, Reply: smtp.Reply{Code: 250, Lines: []string{"2.0.0 OK"}}}},
		Reply:      smtp.Reply{Code: 250, Lines: []string{"2.0.0 OK <S1> [Hostname=H]"}}, QueueID: "S1", Hostname: "H", Started: at, Took: 1234 * time.Millisecond, Notes: []string{"a note"},
		Attempts: []submission.Attempt{
			{Started: at, Took: time.Millisecond, Err: refused},
			{Started: at, Took: time.Second, Waited: 200 * time.Millisecond, Steps: []session.Step{{Stage: smtp.StageContent, Took: time.Millisecond}, {Stage: smtp.StageContent, Took: 2 * time.Millisecond}}},
		},
	}, diagnosis.Facts{}, nil)
	v.Recipients = append(v.Recipients, view.Recipient{ForwardPath: "b@contoso.example", Outcome: smtp.Permanent, Stage: smtp.StageRcpt, Reply: "550 5.1.1 no such mailbox", Finding: &finding})
	v.Finding, v.Queued, v.OutboxID = &finding, 1, "abc-1"
	return v
}

func report() view.Report {
	v := view.NewReport(&doctor.Report{
		Started: at, InDoubt: true, Broken: "sign-in", Proof: "535 5.7.3", Finding: &finding, Warnings: []diagnosis.Finding{finding}, Dialogue: []string{"S: 220 ready"},
		Checks:   []doctor.Check{{Name: "tcp", Status: doctor.OK, Seen: "connected", Notes: []string{"a note"}, Code: finding.Code, Needs: "dns", Took: time.Millisecond, Limit: 20 * time.Second}},
		Suspects: []doctor.Suspect{{Cause: "A cause.", Look: []string{"Get-Mailbox"}, Tell: "It is empty.", Fix: finding.Fixes[0]}},
	}, doctor.Options{Ends: ends, From: "app@contoso.example", Session: session.Options{Mailbox: "app@contoso.example"}}, &config.Config{
		MailServer: "smtp.office365.com", SMTPPort: 587, OfficeClientID: "client", OfficeTenantID: "tenant", OfficeAccessScopes: []string{"scope"},
	}, "v1.2.3")
	v.System = "linux/amd64 go1.26"
	return v
}

// accessToken is a JWT with the claims that are shown.
func accessToken() string {
	claims := `{"aud":"https://outlook.office365.com","appid":"client","appidacr":"1","oid":"object","tid":"tenant","scp":"SMTP.Send",` +
		`"roles":["SMTP.SendAsApp"],"uti":"uti","iat":1794904200,"nbf":1794904200,"exp":1794907800}`
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".x"
}

// certificates are the examples of the room for certificates.
func certificates() map[string]stdio.Object {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 9, 0, 0, 0, time.UTC) }
	pair := certview.Pair{
		File: "/etc/smtpsend/client.pem", Subject: "CN=smtpsend", NotBefore: day(1), NotAfter: day(30), DaysLeft: 29,
		SHA1: "00", SHA256: "0000", KeyBits: 3072, KeyFits: true, Usable: true,
	}
	ended := pair
	ended.KeyFile, ended.DaysLeft, ended.Usable, ended.Problem = "/etc/smtpsend/client.key", -1, false, "has ended: Entra ID refuses it"
	upload := certview.NewUpload("/etc/smtpsend/client.pem.cer", "id")
	return map[string]stdio.Object{
		"certmade":             certview.Made{Pair: pair, Upload: upload, ExitCode: exit.OK},
		"certshown":            certview.Shown{Pairs: []certview.Pair{pair, ended}, Notes: []string{"a note"}, ExitCode: exit.Config},
		"certrotation-waiting": certview.Rotation{Outcome: certview.Waiting, Present: ended, Next: &pair, Upload: &upload, Removed: []string{}, ByHand: []string{}},
		"certrotation-rotated": certview.Rotation{Outcome: certview.Rotated, Present: pair, Kept: "/etc/smtpsend/client.pem.old-20261101", OldPrint: "00", Removed: []string{}, ByHand: []string{}},
		"certrotation-removed": certview.Rotation{Outcome: certview.Removed, Present: pair, Removed: []string{"0000"}, ByHand: []string{"0001"}},
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func jwtOf(header, payload string) string {
	e := base64.RawURLEncoding
	return e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(payload)) + ".c2lnbmF0dXJl"
}

// letterOf is a message with text in its header and its body.
func letterOf(text string) string {
	field := strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(text)
	return "From: \"" + field + "\" <app@contoso.example>\nTo: \"" + field + "\" <a@contoso.example>\nSubject: " + field +
		"\nMessage-ID: <" + field + "@contoso.example>\nX-" + field + ": " + field + "\nDate: " + field + "\n\n" + field + "\n"
}

// ordeals are all of them. @@ is the directory of the ordeal.
func ordeals(t *testing.T) []ordeal {
	return slices.Concat(ofArguments(), ofServers(), ofEndpoints(t), ofMessages(), ofFiles(t), ofSettings(), ofRows(), ofOutboxes(), ofCertificates(), ofSandboxes(), ofRelays(), ofClientCertificates(t))
}

// ofArguments have the hostile text in the command line.
func ofArguments() []ordeal {
	send := slices.Clip([]string{"send", "--to", "a@contoso.example", "--text", "x"})
	var all []ordeal
	for _, args := range [][]string{
		{argument}, {"--" + argument}, {"send", "--" + argument}, {"version", argument}, {"demo", argument},
		{"queue", argument}, {"secret", argument}, {"config", "check", argument}, {"--timeout", argument, "version"},
		{"send", argument}, {"send", "--text", "x", "--to", "a b " + argument}, append(send, "--attach", argument), append(send, "--attach", "*"+argument),
		append(send, "--inline", argument), append(send, "--inline", argument+"="+argument), append(send, "--header", argument),
		append(send, "--header", argument+": x"), append(send, "--priority", argument),
		append(send, "--in-reply-to", argument), append(send, "--references", argument), append(send, "--list-unsubscribe", argument),
		append(send, "--mailbox", argument), append(send, "--from", argument), append(send, "--reply-to", argument),
		append(send, "--at", argument), append(send, "--attempts", argument), append(send, "--save", "/nowhere/"+argument), append(send, "--preview", "/nowhere/"+argument),
		{"send", "--to", "a@contoso.example", "--text-file", argument}, {"send", "--to-file", argument, "--text", "x"},
		{"send", "--message", argument}, {"send", "--template", argument}, {"sendmail", argument}, {"sendmail", "-f", argument, "a@contoso.example"},
		{"sendmail", "--" + argument}, {"sendmail", "-" + argument}, {"sendmail", "-N", argument, "a@contoso.example"},
		{"sendmail", "-B", argument}, {"sendmail", "-b", argument}, {"sendmail", "--timeout", argument}, {"sendmail", "a@contoso.example", "-" + argument},
		{"batch", argument}, {"batch", "--subject", argument + "{{", "--text-file", "/dev/null", argument}, {"batch", "--template", argument, "x"},
		{"queue", "show", argument}, {"queue", "cat", argument}, {"queue", "hold", argument}, {"queue", "ls", "--state", argument},
		{"queue", "ls", "--since", argument}, {"queue", "ls", "--batch", argument}, {"queue", "ls", "--on", argument}, {"queue", "why", argument},
		{"queue", "hold", "--mailbox", argument}, {"queue", "release", argument}, {"queue", "backup", "/nowhere/" + argument},
		{"queue", "stats", "--since", argument}, {"queue", "cancel", argument}, {"doctor", "--mailbox", argument}, {"doctor", "--send-to", argument},
		{"doctor", "--limit", argument}, {"token", "--mailbox", argument},
		{"expiry", "--within", argument}, {"expiry", "--notify", argument}, {"token", "--min-life", argument}, {"--env-file", argument, "config", "check"}, {"--env-file", argument, "config", "show"},
		{"--env-file", argument, "config", "example", argument}, {"config", "import", argument},
		{"secret", "seal", argument}, {"secret", "check", argument}, {"sandbox", "--fault", argument}, {"sandbox", "--fault", "greeting," + argument},
		{"sandbox", "--scenario", argument}, {"sandbox", "--listen-smtp", argument}, {"sandbox", "--listen-http", argument},
		{"sandbox", "--write-env", "/nowhere/" + argument}, {"link-sendmail", "/nowhere/" + argument},
		{"--profile", argument, "send"},
	} {
		all = append(all, ordeal{name: fmt.Sprintf("argument %.60q", args), args: args, stdin: "Subject: x\n\nx\n"})
	}
	for _, args := range [][]string{ // that are not shown
		{"help", argument}, {"completion", argument}, append(send, "--header", "X: "+argument), append(send, "--subject", argument),
		{"config", "import", argument, argument}, {"link-sendmail", argument, argument}, {"explain", "./" + argument}, {"explain", "--list", argument},
		{"sendmail", "-C", argument}, {"sendmail", "-a", argument, "a@contoso.example"}, {"sendmail", "--env-file=" + argument, "a@contoso.example"},
	} {
		all = append(all, ordeal{name: fmt.Sprintf("argument %.60q", args), args: args, silent: true})
	}
	return append(all,
		ordeal{name: "dry run of an argument", args: []string{"send", "--dry-run", "--to", "a@contoso.example", "--text", "x", "--attach", "@@/" + argument}, files: map[string]string{argument: "x"}, silent: true},
		ordeal{name: "words for the shell", args: []string{"__complete", "send", "--" + argument, argument}, silent: true},
		ordeal{name: "a directory to explain", args: []string{"explain", "@@/d" + argument}, files: map[string]string{"d" + argument + "/x": ""}},
		ordeal{name: "links", args: []string{"link-sendmail", "@@/d" + argument}, files: map[string]string{"d" + argument + "/x": ""}},
		ordeal{name: "a backup", args: []string{"queue", "backup", "@@/" + argument}},
	)
}

// ofServers have it in a reply at each stage.
func ofServers() []ordeal {
	challenge := base64.StdEncoding.EncodeToString([]byte(`{"status":"400","schemes":"` + hidden + `","scope":"` + hidden + `","x":"` + octets + `"}`))
	stages := map[string]map[string]string{
		"a banner": {"greeting": "220 " + evil}, "a refused connection": {"greeting": "554 5.3.2 " + evil},
		"what EHLO offers": {"ehlo": "250-" + evil + "\r\n250-" + escs + "\r\n250-SIZE " + evil + "\r\n250 AUTH XOAUTH2"}, "a refused EHLO": {"ehlo": "502 5.5.1 " + evil},
		"no sign-in": {"ehlo": "250 " + evil}, "a refused sign-in": {"auth": "535 5.7.3 " + evil}, "a deferred sign-in": {"auth": "454 4.7.0 " + evil},
		"a challenge": {"auth": "334 " + challenge + "\r\n535 5.7.3 " + evil}, "a challenge that is none": {"auth": "334 " + evil + "\r\n535 5.7.3 " + evil},
		"a sign-in": {"auth": "235 2.7.0 " + evil}, "a refused sender": {"mail": "550 5.1.8 " + evil}, "a refused recipient": {"rcpt": "550 5.1.10 " + evil},
		"a deferred recipient": {"rcpt": "450 4.2.1 " + evil}, "a refused DATA": {"data": "554 5.5.1 " + evil}, "a refused message": {"dot": "554 5.2.252 SendAsDenied; " + evil + "@x not allowed to send as " + evil + "@y"},
		"an accepted message": {"dot": "250 2.0.0 OK <" + evil + "> [InternalId=1, Hostname=" + evil + "] " + evil}, "no SMTP": {"greeting": evil},
		"a reply of several lines":  {"dot": "554-5.2.0 " + evil + "\r\n554-5.2.0 " + octets + "\r\n554 5.2.0 " + hidden},
		"a message that is put off": {"dot": "451 4.7.500 " + evil}, "a farewell": {"mail": "421 4.4.1 " + evil},
	}
	message := "To: a@contoso.example\nSubject: x\n\nx\n"
	dialogue := "EHLO x\nMAIL FROM:<app@contoso.example>\nRCPT TO:<a@contoso.example>\nDATA\n" + message + ".\nQUIT\n"
	var all []ordeal
	for _, stage := range slices.Sorted(maps.Keys(stages)) {
		say := stages[stage]
		accepted := strings.Contains(stage, "sign-in") && say["auth"] != "" && say["auth"][0] == '2' || stage == "a banner" || stage == "what EHLO offers"
		add := func(verb string, o ordeal) {
			o.name, o.server = stage+" in "+verb, say
			o.brief = strings.HasPrefix(verb, "sendmail") || verb == "a silent sendmail"
			o.silent = o.silent || o.brief && (strings.Contains(stage, "deferred") || strings.Contains(stage, "put off") || stage == "a farewell" || stage == "no SMTP") || accepted || strings.Contains(stage, "challenge") || stage == "no sign-in"
			all = append(all, o)
		}
		add("send", ordeal{args: []string{"send", "--to", "a@contoso.example", "--text", "x", "--attempts", "1"}})
		add("sendmail", ordeal{args: []string{"sendmail", "-v", "-t"}, stdin: message})
		add("a silent sendmail", ordeal{args: []string{"sendmail", "-t"}, stdin: message, silent: true})
		add("sendmail -bs", ordeal{args: []string{"sendmail", "-bs"}, stdin: dialogue, smtp: true, silent: true})
		add("doctor", ordeal{args: []string{"doctor", "--send-to", "a@contoso.example"}, silent: true})
		add("batch", ordeal{args: []string{"batch", "--subject", "x", "--text-file", "@@/t", "@@/rows.csv"}, silent: true,
			files: map[string]string{"t": "x", "rows.csv": "email\na@contoso.example\n"}, instead: batchUntilItWaits})
	}
	return append(all, ordeal{name: "a refused STARTTLS", server: map[string]string{"starttls": "554 5.7.0 " + evil}, env: map[string]string{"SMTPSEND_SMTP_SECURITY": "2"},
		args: []string{"send", "--to", "a@contoso.example", "--text", "x", "--attempts", "1"}})
}

// batchUntilItWaits adds rows, and submits them once.
func batchUntilItWaits(t *testing.T, s *scene) {
	for _, more := range [][]string{nil, {"--json"}, {"-v", "--trace"}} {
		for _, args := range [][]string{
			{"batch", "--add-only", "--name", fmt.Sprint(more), "--subject", "x", "--text-file", "@@/t", "@@/rows.csv"}, {"queue", "run"}, {"queue", "retry", "--all"},
			{"sendmail", "-q"}, {"queue", "ls", "--all"}, {"queue", "why"}, {"queue", "history"}, {"sendmail", "-bp"},
		} {
			o := ordeal{args: args, silent: true}
			out, errs := s.perform(t, o, more...)
			s.judge(t, o, fmt.Sprint(more, args[:2]), out, errs)
		}
	}
}

// ofEndpoints have it in what the token endpoint answers.
func ofEndpoints(t *testing.T) []ordeal {
	answers := map[string]func(http.ResponseWriter){
		"Entra's error": answering(401, "application/json", entraError(t, evil)), "an error of several lines": answering(400, "application/json", entraError(t, lines)),
		"a page": answering(502, "text/html; charset="+hidden, "<html><title>"+evil+"</title>"+evil), "a text": answering(429, "text/plain", evil),
		"no token":              answering(200, "application/json", `{"access_token":"","x":"`+hidden+`"}`),
		"another kind of token": answering(200, "application/json", `{"token_type":"`+hidden+`","access_token":"x"}`),
		"a redirect": func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://"+mark+".example/"+hidden)
			w.WriteHeader(302)
			_, _ = io.WriteString(w, evil)
		},
	}
	var all []ordeal
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		limit := "20s"
		if !strings.Contains(name, "rror") { // it tries again until then
			limit = "300ms"
		}
		for _, args := range [][]string{
			{"token"}, {"send", "--to", "a@contoso.example", "--text", "x", "--attempts", "1"}, {"doctor", "--limit", limit}, {"sendmail", "a@contoso.example"},
		} {
			all = append(all, ordeal{name: name + " in " + args[0], args: args, answer: answers[name], stdin: "Subject: x\n\nx\n",
				silent: !strings.Contains(name, "rror"), brief: args[0] == "sendmail" || !strings.Contains(name, "rror")})
		}
	}
	return append(all,
		ordeal{name: "claims in doctor", args: []string{"doctor"}},
		ordeal{name: "claims of a refused token", args: []string{"doctor"}, server: map[string]string{"auth": "535 5.7.3 Authentication unsuccessful"}},
		ordeal{name: "claims in send", args: []string{"send", "--to", "a@contoso.example", "--text", "x"}, server: map[string]string{"auth": "535 5.7.3 Authentication unsuccessful"}},
		ordeal{name: "claims in token", args: []string{"token"}, silent: true},
	)
}

// ofMessages have it in a message that somebody else made.
func ofMessages() []ordeal {
	var all []ordeal
	for name, text := range map[string]string{"escapes": letterOf(escs), "hidden": letterOf(hidden), "octets": letterOf(octets), "all": letterOf(evil)} {
		files := map[string]string{"m.eml": text}
		for _, args := range [][]string{
			{"send", "--message", "@@/m.eml", "--dry-run"}, {"send", "--message", "@@/m.eml"}, {"send", "--message", "@@/m.eml", "--to", "a@contoso.example"},
			{"send", "--message", "@@/m.eml", "--to", "a@contoso.example", "--from", "app@contoso.example", "--dry-run"},
			{"send", "--message", "@@/m.eml", "--to", "a@contoso.example", "--from", "app@contoso.example"}, {"send", "--message", "@@/m.eml", "--queue", "--to", "a@contoso.example", "--from", "app@contoso.example"},
			{"sendmail", "-t", "-P"}, {"sendmail", "-t", "-v"}, {"sendmail", "-v", "a@contoso.example"}, {"sendmail", "-P", "a@contoso.example"}, {"sendmail", "--force-from", "-v", "a@contoso.example"},
			{"sendmail", "-v", "--queue", "a@contoso.example"},
		} {
			all = append(all, ordeal{name: fmt.Sprintf("a message with %s, %.90q", name, args), args: args, files: files, stdin: text, silent: true})
		}
	}
	id := "From: app@contoso.example\nTo: a@contoso.example\nMessage-ID: <" + argument + "@contoso.example>\nDate: Mon, 30 Nov 2026 08:00:00 +0000\nSubject: x\n\nx\n"
	for _, args := range [][]string{
		{"send", "--message", "@@/m.eml", "--dry-run"}, {"send", "--message", "@@/m.eml"}, {"sendmail", "-t", "-P"}, {"sendmail", "-t", "-v"},
	} {
		all = append(all, ordeal{name: fmt.Sprintf("a Message-ID, %q", args), args: args, files: map[string]string{"m.eml": id}, stdin: id})
	}
	page := "<img src='" + hidden + ".png'><img src='cid:" + hidden + "'>"
	return append(all,
		ordeal{name: "images", args: []string{"send", "--dry-run", "--to", "a@contoso.example", "--html-file", "@@/x.html", "--inline", "x@y=@@/x.html"}, files: map[string]string{"x.html": page}},
		ordeal{name: "images that are embedded", args: []string{"send", "--dry-run", "--to", "a@contoso.example", "--html-file", "@@/x.html", "--embed"}, files: map[string]string{"x.html": page}},
		ordeal{name: "aliases", args: []string{"sendmail", "root"}, stdin: "Subject: x\n\nx\n", files: map[string]string{"aliases": "root: " + argument + "\n" + argument + ": |" + argument + "\n"}, env: map[string]string{"SMTPSEND_ALIASES_FILE": "@@/aliases"}, silent: true},
		ordeal{name: "the name of aliases", args: []string{"sendmail", "root"}, stdin: "Subject: x\n\nx\n", env: map[string]string{"SMTPSEND_ALIASES_FILE": "@@/" + hidden}},
		ordeal{name: "a dead letter", args: []string{"sendmail", "a@contoso.example"}, stdin: letterOf(evil), server: map[string]string{"mail": "550 5.1.8 " + evil},
			files: map[string]string{"d" + hidden + "/x": ""}, env: map[string]string{"SMTPSEND_DEAD_LETTER_DIR": "@@/d" + hidden}},
		ordeal{name: "a dead letter in the home directory", args: []string{"sendmail", "a@contoso.example"}, stdin: letterOf(evil), server: map[string]string{"mail": "550 5.1.8 " + evil},
			files: map[string]string{"d" + hidden + "/x": ""}, env: map[string]string{"SMTPSEND_DEAD_LETTER_DIR": "@@/" + hidden, "HOME": "@@/d" + hidden}},
		ordeal{name: "SMTP on standard input", args: []string{"sendmail", "-bs"}, smtp: true, silent: true, stdin: "EHLO " + argument + "\n" + argument + "\nMAIL FROM:<" + argument + ">\nMAIL FROM:<a@contoso.example> " +
			argument + "\nMAIL FROM:<app@contoso.example>\nRCPT TO:<" + argument + ">\nRCPT TO:<a@" + argument + ">\nRCPT TO:<a@contoso.example>\nDATA\n" + letterOf(evil) + ".\n"},
	)
}

// ofFiles have it in files that a verb reads.
func ofFiles(t *testing.T) []ordeal {
	base := []string{"send", "--dry-run", "--to", "a@contoso.example"}
	data := func(args ...string) []string { return append(slices.Clone(base), args...) }
	var all []ordeal
	for name, text := range map[string]string{
		"a template's field": "---\n" + argument + ": x\n---\nx\n", "a template's value": "---\nto: \"" + argument + "\"\nsubject: x\n---\nx\n", "a template's action": "---\nsubject: x\n---\n{{." + argument + "}}\n",
		"a template's column": "---\nsubject: '{{.MARK\u202eq}}'\n---\nx\n", "a template's function": "---\nsubject: '{{fail \"" + hidden + "\"}}'\n---\nx\n",
	} {
		all = append(all, ordeal{name: name, args: data("--template", "@@/t.txt", "--set", "x=1"), files: map[string]string{"t.txt": text}, silent: true})
	}
	for name, text := range map[string]string{
		"no data": argument, "data's key": `{"` + hidden + `": 1, "x": }`, "data's value": `{"to": "` + hidden + `"}`,
	} {
		all = append(all, ordeal{name: name, args: data("--template", "@@/t.txt", "--data", "@@/d.json"), silent: true,
			files: map[string]string{"t.txt": "---\nto: '{{.to}}'\nsubject: '{{.subject}}'\n---\nx\n", "d.json": text}})
	}
	for _, name := range []string{"x.yml", "x.reg", "x.properties", argument + ".yml"} {
		text := "MailSender=" + argument + "\n" + argument + "=" + argument + "\nosweb:\n  smtpServer: \"" + argument + "\"\n  " + argument + ": 1\n"
		all = append(all, ordeal{name: fmt.Sprintf("import of %.20q", name), args: []string{"config", "import", "-o", "@@/out", "@@/" + name}, files: map[string]string{name: text}, silent: true})
	}
	pasted := "535 5.7.3 Authentication unsuccessful " + evil + " [x.prod.outlook.com]\nAADSTS7000215: " + evil + "\n554 5.2.252 SendAsDenied; " + hidden + "@x.example not allowed to send as " + hidden + "@y.example\n"
	token := "AUTH XOAUTH2 " + base64.StdEncoding.EncodeToString([]byte("user=x\x01auth=Bearer "+hostileToken()+"\x01\x01"))
	return append(all,
		ordeal{name: "a paste", args: []string{"explain", "-"}, stdin: pasted, silent: true},
		ordeal{name: "a paste with a token", args: []string{"explain"}, stdin: token + "\n535 5.7.3 Authentication unsuccessful"},
		ordeal{name: "a paste in words", args: []string{"explain", argument, "535 5.7.3 Authentication unsuccessful", argument}, silent: true},
		ordeal{name: "a paste of a certificate", args: []string{"explain"}, stdin: "smtp.office365.com: x509: certificate is valid for " + hidden + ".example, not smtp.office365.com " + evil, silent: true},
		ordeal{name: "a file to explain", args: []string{"explain", "@@/" + argument}, files: map[string]string{argument: entraError(t, evil)}, silent: true},
		ordeal{name: "recipients of a file", args: []string{"send", "--text", "x", "--to-file", "@@/l"}, files: map[string]string{"l": argument + "\n"}},
		ordeal{name: "a scenario", args: []string{"sandbox", "--scenario", "@@/s.json"}, files: map[string]string{"s.json": `{"` + hidden + `": 1}`}},
		ordeal{name: "a scenario that is none", args: []string{"sandbox", "--scenario", "@@/s.json"}, files: map[string]string{"s.json": evil}, silent: true},
	)
}

// ofSettings have it in the environment and in the env file.
func ofSettings() []ordeal {
	file := "SMTPSEND_MAIL_SENDER=\"" + hidden + "\"\nSMTPSEND_MAIL_SERVER=" + argument + "\n" + argument + "\nSMTPSEND_" + argument + "=1\nSMTPSEND_SMTP_PORT=" + hidden + "\n"
	var all []ordeal
	for _, args := range [][]string{
		{"config", "check"}, {"config", "show"}, {"send", "--to", "a@contoso.example", "--text", "x"}, {"doctor"}, {"expiry"}, {"token"}, {"queue", "ls"}, {"secret", "check"},
		{"sendmail", "a@contoso.example"}, {"sendmail", "-bp"}, {"batch", "x"},
	} {
		all = append(all, ordeal{name: fmt.Sprintf("an env file, %q", args), args: append([]string{"--env-file", "@@/" + argument}, args...), stdin: "x", files: map[string]string{argument: file}, silent: true, brief: true})
		for _, name := range []string{
			"MAIL_SENDER", "MAIL_SERVER", "SMTP_PORT", "SMTP_USER_NAME", "OFFICE_TOKEN_ENDPOINT", "OFFICE_TENANT_ID", "OFFICE_CLIENT_ID", "CLOUD", "PROXY", "CA_FILE", "EHLO_NAME", "IP_FAMILY", "STATE_DIR",
			"CACHE_DIR", "IDENTITY_FILE", "OFFICE_CLIENT_SECRET_FILE", "OFFICE_ACCESS_SCOPES", "QUEUE", "OPERATOR", "DEFAULT_DOMAIN", "MAIL_SENDR" + hidden,
		} {
			env := map[string]string{"SMTPSEND_" + name: argument}
			if strings.HasPrefix(name, "OFFICE_CLIENT_SECRET") {
				env["SMTPSEND_OFFICE_CLIENT_SECRET"] = ""
			}
			all = append(all, ordeal{name: fmt.Sprintf("%s, %q", name, args), args: args, stdin: "x", env: env, silent: true, brief: true})
		}
	}
	return append(all,
		ordeal{name: "the name of the env file", args: []string{"--env-file", "@@/" + argument, "config", "check"}, files: map[string]string{argument: "SMTPSEND_EHLO_NAME=x.example\n"}},
		ordeal{name: "the name of the env file in what is shown", args: []string{"--env-file", "@@/" + argument, "config", "show"}, files: map[string]string{argument: "SMTPSEND_EHLO_NAME=x.example\n"}},
		ordeal{name: "the name of the env file with -v", args: []string{"-v", "--env-file", "@@/" + argument, "send", "--dry-run", "--to", "a@contoso.example", "--text", "x"}, files: map[string]string{argument: "SMTPSEND_EHLO_NAME=x.example\n"}, silent: true},
		ordeal{name: "the words of a secret's command", args: []string{"secret", "check"}, files: map[string]string{"e": "SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND=cat @@/words >&2; exit 1\n", "words": evil},
			env: map[string]string{"SMTPSEND_OFFICE_CLIENT_SECRET": "", "SMTPSEND_ENV_FILE": "@@/e"}, silent: true},
		ordeal{name: "a secret to seal", args: []string{"secret", "seal"}, stdin: "x", env: map[string]string{"SMTPSEND_IDENTITY_FILE": "@@/" + argument + "/x"}, silent: true},
		ordeal{name: "settings of a demo", args: []string{"demo"}, silent: true},
		ordeal{name: "settings of a version", args: []string{"version"}, env: map[string]string{"SMTPSEND_MAIL_SENDER": argument}, silent: true},
		ordeal{name: "a completion", args: []string{"completion", "bash"}, silent: true},
	)
}

// ofRows have it in the rows of a batch.
func ofRows() []ordeal {
	files := map[string]string{
		"t": "---\nto: '{{.email}}'\nsubject: '{{.name}}'\nattach: '{{.file}}'\n---\n{{.name}}\n", "plain": "---\nto: '{{.email}}'\nsubject: 'x'\n---\n{{.name}}\n",
		"wrong.csv": "email,name,file\n" + argument + "," + argument + "," + argument + "\n", "ok.csv": "id,email,name\n" + hidden + ",a@contoso.example,x\n",
		"columns.csv": argument + "," + argument + "\n1,2\n", "rows.jsonl": `{"email": "a@contoso.example", "name": "` + hidden + `", "file": "` + hidden + `"}` + "\n" + evil + "\n",
		"attach.csv": "email,name,file\na@contoso.example,x,@@/" + hidden + "\n", argument + ".csv": "email,name\na@contoso.example,x\n",
	}
	var all []ordeal
	for _, args := range [][]string{
		{"--template", "@@/t", "@@/wrong.csv"}, {"--template", "@@/t", "@@/columns.csv"}, {"--template", "@@/t", "@@/rows.jsonl"}, {"--template", "@@/t", "@@/attach.csv"},
		{"--template", "@@/plain", "--key", argument, "@@/ok.csv"}, {"--template", "@@/plain", "--dry-run", "@@/" + argument, "@@/ok.csv"},
		{"--template", "@@/plain", "--report", "/nowhere/" + argument, "@@/ok.csv"}, {"--template", "@@/plain", "--check", "@@/" + argument + ".csv"},
		{"--template", "@@/plain", "--add-only", "@@/" + argument + ".csv"}, {"--template", "@@/plain", "--add-only", "--name", hidden, "--key", "id", "@@/ok.csv"},
	} {
		all = append(all, ordeal{name: fmt.Sprintf("rows, %.80q", args), args: append([]string{"batch"}, args...), files: files, silent: true})
	}
	return append(all, ordeal{name: "a batch that goes on", files: files, instead: func(t *testing.T, s *scene) {
		for range 2 {
			for _, args := range [][]string{{"batch", "--template", "@@/plain", "--add-only", "--name", hidden, "--key", "id", "@@/ok.csv"}, {"queue", "ls"}, {"queue", "ls", "--batch", hidden}} {
				o := ordeal{args: args, silent: true}
				out, errs := s.perform(t, o)
				s.judge(t, o, fmt.Sprint(args[0]), out, errs)
			}
		}
		o := ordeal{args: []string{"batch", "--template", "@@/plain", "--add-only", "--name", hidden, "@@/ok.csv"}}
		out, errs := s.perform(t, o)
		s.judge(t, o, "by another key", out, errs)
	}})
}

// ofOutboxes have it in what waits.
func ofOutboxes() []ordeal {
	id := "From: app@contoso.example\nTo: a@contoso.example\nMessage-ID: <" + argument + "@contoso.example>\nDate: Mon, 30 Nov 2026 08:00:00 +0000\nSubject: x\n\nx\n"
	return []ordeal{{name: "an outbox", files: map[string]string{"m.eml": id, "plain": "---\nto: '{{.email}}'\nsubject: 'x'\n---\n{{.name}}\n", "ok.csv": "id,email,name\n" + hidden + ",a@contoso.example,x\n"},
		server: map[string]string{"dot": "451 4.7.500 " + evil, "rcpt": "450 4.2.1 " + evil}, instead: func(t *testing.T, s *scene) {
			for _, args := range [][]string{
				{"send", "--queue", "--message", "@@/m.eml"}, {"batch", "--template", "@@/plain", "--add-only", "--name", hidden, "--key", "id", "@@/ok.csv"}, {"queue", "run"},
			} {
				out, errs := s.perform(t, ordeal{args: args})
				s.judge(t, ordeal{silent: true}, args[0], out, errs)
			}
			list, _ := s.perform(t, ordeal{args: []string{"queue", "ls"}})
			for line := range strings.Lines(string(list)) {
				qid, _, _ := strings.Cut(line, " ")
				for _, more := range [][]string{nil, {"--json"}} {
					for _, args := range [][]string{
						{"queue", "show", qid}, {"queue", "ls", "--all"}, {"queue", "why"}, {"queue", "why", "app@contoso.example"}, {"queue", "history"}, {"queue", "stats"}, {"sendmail", "-bp"},
						{"queue", "history", "--to", argument}, {"queue", "ls", "--row", hidden}, {"queue", "hold", qid}, {"queue", "release", qid},
					} {
						out, errs := s.perform(t, ordeal{args: args}, more...)
						s.judge(t, ordeal{silent: true}, fmt.Sprint(more, args), out, errs)
					}
				}
			}
			out, errs := s.perform(t, ordeal{args: []string{"queue", "history"}})
			s.judge(t, ordeal{}, "queue history", out, errs)
		}}}
}

// ofCertificates have it in the names of a certificate.
func ofCertificates() []ordeal {
	return []ordeal{{name: "a certificate", instead: func(t *testing.T, s *scene) {
		maps.Copy(s.env, tlsServer(t, hidden))
		for _, args := range [][]string{{"doctor"}, {"send", "--to", "a@contoso.example", "--text", "x", "--attempts", "1"}} {
			for _, more := range [][]string{nil, {"--json"}, {"-v", "--trace"}} {
				out, errs := s.perform(t, ordeal{args: args}, more...)
				s.judge(t, ordeal{silent: args[0] == "send"}, fmt.Sprint(more, args), out, errs)
			}
		}
	}}}
}

// ofSandboxes have it in what a client says to the sandbox.
func ofSandboxes() []ordeal {
	return []ordeal{{name: "a client of the sandbox", instead: func(t *testing.T, s *scene) {
		var stdout, stderr bytes.Buffer
		p := &process{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr}
		name := filepath.Join(s.dir, hidden+".env")
		stop := inContext(t, func(ctx context.Context) { run(ctx, p, []string{"-v", "sandbox", "--write-env", name}) })
		address := ""
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ; address == "" && t.Context().Err() == nil; <-tick.C {
			settings, _ := os.ReadFile(name)
			for line := range strings.Lines(string(settings)) {
				if port, ok := strings.CutPrefix(strings.TrimSpace(line), "SMTPSEND_SMTP_PORT="); ok {
					address = "127.0.0.1:" + port
				}
			}
		}
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "EHLO %s\r\n%s\r\nMAIL FROM:<%s>\r\nQUIT\r\n", argument, argument, argument)
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
		stop()
		s.judge(t, ordeal{}, "sandbox", stdout.Bytes(), stderr.Bytes())
	}}}
}

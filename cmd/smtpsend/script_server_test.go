package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdServer is "server [VERB=REPLY...]": an SMTP server on this host that is not
// Exchange, in clear, which gives these replies in place of the usual ones. VERB
// is greeting, ehlo, starttls, auth, mail, rcpt, data or dot, or "rcpt ADDRESS"
// for one forward-path. The reply "close" closes the connection instead, and \n
// in a reply is a line end, \e an escape and \c a CSI. The settings of the script lead to it.
func cmdServer(ts *testscript.TestScript, neg bool, args []string) {
	say := make(map[string]string)
	for _, arg := range args {
		verb, text, ok := strings.Cut(arg, "=")
		if neg || !ok {
			ts.Fatalf("usage: server [VERB=REPLY...]")
		}
		say[verb] = strings.NewReplacer(`\n`, "\r\n", `\e`, "\x1b", `\c`, "\u009b").Replace(text)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { listener.Close() })
	go serveAll(listener, say)
	host, port, err := net.SplitHostPort(listener.Addr().String())
	ts.Check(err)
	ts.Setenv("SMTPSEND_MAIL_SERVER", host)
	ts.Setenv("SMTPSEND_SMTP_PORT", port)
	ts.Setenv("SMTPSEND_SMTP_SECURITY", "0")
}

// serveAll holds sessions until listener is closed.
func serveAll(listener net.Listener, say map[string]string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go serveSMTP(conn, say)
	}
}

// serveSMTP holds one session.
func serveSMTP(conn net.Conn, say map[string]string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	reply := func(verb, usual string) (more bool) {
		text, ok := say[verb]
		if !ok {
			text = usual
		}
		if text == "close" {
			return false
		}
		_, err := io.WriteString(conn, text+"\r\n")
		return err == nil
	}
	usual := map[string]string{
		"EHLO": "250-odd\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 AUTH XOAUTH2", "STARTTLS": "454 4.7.0 TLS not available",
		"AUTH": "235 2.7.0 ok", "MAIL": "250 2.1.0 ok", "RCPT": "250 2.1.5 ok", "DATA": "354 go", "QUIT": "221 2.0.0 bye",
	}
	for more := reply("greeting", "220 odd ESMTP"); more; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb, argument, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		key := strings.ToLower(verb)
		if _, path, ok := strings.Cut(strings.ToLower(argument), "to:<"); ok {
			if one := "rcpt " + strings.TrimSuffix(path, ">"); say[one] != "" {
				key = one
			}
		}
		if verb == "AUTH" && !strings.Contains(argument, " ") && say[key] == "" {
			fmt.Fprint(conn, "334 \r\n")
			response, _ := in.ReadString('\n')
			usual[verb] = "235 2.7.0 welcome " + userOf(response)
		}
		more = reply(key, usual[verb]) && verb != "QUIT"
		if verb == "DATA" && strings.HasPrefix(usual[verb], "354") && say["data"] == "" {
			for line != ".\r\n" && err == nil {
				line, err = in.ReadString('\n')
			}
			more = err == nil && reply("dot", "250 2.0.0 Ok: queued as ABC")
		}
	}
}

// userOf is the user of an XOAUTH2 response.
func userOf(response string) string {
	text, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(response))
	user, _, _ := strings.Cut(strings.TrimPrefix(string(text), "user="), "\x01")
	return user
}

// cmdEndpoint is "endpoint STATUS TYPE BODY": a token endpoint that answers
// every request so, and wants nobody to ask again within the hour. The settings of the script lead to it.
func cmdEndpoint(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: endpoint STATUS TYPE BODY")
	}
	status, err := strconv.Atoi(args[0])
	ts.Check(err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", args[1])
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, args[2])
	}))
	ts.Defer(server.Close)
	ts.Setenv("SMTPSEND_OFFICE_TOKEN_ENDPOINT", server.URL+"/token")
}

package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// ofRelays have it in the relay's files, and in what its clients say.
func ofRelays() []ordeal {
	const settings = "users_file: u\nlisteners: [{address: 'smtp://127.0.0.1:0', policy: ip-or-auth}]\nclients: [{name: x, networks: [127.0.0.1]}, {name: y, user: y}]\n"
	quoted := "\"" + strings.NewReplacer("\x1b", `\e`, "\x00", `\0`).Replace(mark+"\x1b[2J\x00\u202e\u200b") + "\""
	return []ordeal{
		{name: "a relay's file", args: []string{"relay", "check", "@@/r.yaml"}, files: map[string]string{"r.yaml": "listeners: [{address: " + quoted + "}]\n" + quoted + ": 1\n"}},
		{name: "no YAML", args: []string{"relay", "check", "@@/r.yaml"}, files: map[string]string{"r.yaml": "listeners: [\n" + evil}, silent: true},
		{name: "a relay's users", args: []string{"relay", "user", "--file", "@@/u", "ls"}, files: map[string]string{"u": evil + ":x\n" + mark + ":$2y$99$x\n"}, silent: true},
		{name: "a relay's user", args: []string{"relay", "user", "--file", "@@/" + argument, "add", argument}, silent: true},
		{name: "a relay", files: map[string]string{"r.yaml": settings, "u": ""}, env: map[string]string{"SMTPSEND_RELAY_FILE": "@@/r.yaml"}, instead: hostileClients},
	}
}

// hostileClients are those of a relay, whose log is judged.
func hostileClients(t *testing.T, s *scene) {
	for _, more := range [][]string{nil, {"--json"}, {"-v", "--trace"}} {
		var stdout, stderr stream
		p := &process{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr}
		for name, value := range s.env {
			p.environ = append(p.environ, name+"="+value)
		}
		stop := inContext(t, func(ctx context.Context) { run(ctx, p, append(more, "relay")) })
		at := regexp.MustCompile(`127\.0\.0\.1:[1-9][0-9]*`)
		for !at.Match(stderr.Bytes()) {
			runtime.Gosched()
		}
		say := func(lines ...string) {
			c, err := net.Dial("tcp", string(at.Find(stderr.Bytes())))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			r := bufio.NewReader(c)
			for _, line := range lines {
				_, _ = io.WriteString(c, line+"\r\n")
			}
			_, _ = io.WriteString(c, "QUIT\r\n")
			_, _ = io.ReadAll(r)
		}
		foreign := strings.NewReplacer("\n", "", "\r", "").Replace(hidden + octets)
		say("EHLO "+foreign, "MAIL FROM:<"+mark+foreign+"@contoso.example> SMTPUTF8", "MAIL FROM:<"+mark+"\u202e@contoso.example> SMTPUTF8", "RCPT TO:<"+mark+"\u202e>", "RCPT TO:<x@contoso.example>",
			"DATA", "Message-ID: <"+argument+"@x>", "From: "+argument+" <a@contoso.example>", "", evil, ".")
		say("EHLO x", "AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00"+evil+"\x00"+evil)), argument)
		stop()
		s.judge(t, ordeal{}, fmt.Sprint(more), stdout.Bytes(), stderr.Bytes())
	}
}

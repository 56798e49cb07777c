package presented_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/presented"
)

func TestNoteSaysWhatWasPresented(t *testing.T) {
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		proof presented.Proof
		want  []string
		not   string
	}{
		"nothing":           {presented.Proof{}, nil, "."},
		"both thumbprints":  {presented.Proof{Thumbprint: "AB12", ThumbprintSHA256: "CD34"}, []string{"AB12 (SHA-1), and CD34 (SHA-256)"}, "clock"},
		"a token":           {presented.Proof{Issuer: "https://i", Subject: "s", Audience: "a"}, []string{"the issuer 'https://i', the subject 's' and the audience 'a'"}, "ids of owner"},
		"without audience":  {presented.Proof{Issuer: "https://i", Subject: "s"}, []string{"the audience (none)"}, ""},
		"with ids":          {presented.Proof{Issuer: "https://i", Subject: "repo:contoso@1234567/reports@89012345:ref:refs/heads/main"}, []string{"ids of owner and repository"}, ""},
		"ids with hyphens":  {presented.Proof{Subject: "repo:contoso-1234567/reports-89012345:ref:x"}, []string{"ids of owner and repository"}, ""},
		"without ids":       {presented.Proof{Subject: "repo:contoso/reports:ref:refs/heads/main"}, nil, "ids of owner"},
		"not yet":           {presented.Proof{Thumbprint: "AB", Starts: at.Add(time.Hour), At: at}, []string{"It is not valid before 2026-11-30T13:00:00Z."}, ""},
		"over":              {presented.Proof{Thumbprint: "AB", Ends: at.Add(-time.Hour), At: at}, []string{"It ended at 2026-11-30T11:00:00Z."}, ""},
		"our clock is slow": {presented.Proof{Thumbprint: "AB", At: at, Their: at.Add(11 * time.Minute)}, []string{"clock of this machine is 11m0s behind the endpoint's"}, ""},
		"our clock is fast": {presented.Proof{Thumbprint: "AB", At: at.Add(time.Hour), Their: at}, []string{"1h0m0s ahead of the endpoint's"}, ""},
		"seconds":           {presented.Proof{Thumbprint: "AB", At: at.Add(2 * time.Second), Their: at}, nil, "clock"},
		"evil":              {presented.Proof{Subject: "a\x1b[2Jb\u202ec"}, nil, "\x1b"},
	} {
		note := tt.proof.Note()
		for _, want := range tt.want {
			if !strings.Contains(note, want) {
				t.Errorf("%s: %q lacks %q", name, note, want)
			}
		}
		if tt.not != "" && strings.Contains(note, tt.not) {
			t.Errorf("%s: %q has %q", name, note, tt.not)
		}
	}
}

// TestCommandsAreOneArgumentToAShell: whatever a token says, it stays in its JSON.
func TestCommandsAreOneArgumentToAShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	for _, evil := range []string{"plain", "it's", `"; rm -rf /; "`, "$(id)`id`", "\u2018; id; \u2019", "\x00\n\r\x1b", "ünï🎈", `\`, "<&>"} {
		p := presented.Proof{Issuer: "https://i/" + evil, Subject: evil, Audience: "api://AzureADTokenExchange"}
		commands := p.Commands("id; touch /tmp/x")
		if len(commands) != 3 || strings.Contains(strings.Join(commands, ""), "touch") {
			t.Fatalf("%q: %q", evil, commands)
		}
		echoed := strings.Replace(commands[0], "az ad app federated-credential create --id <client-id> --parameters", "printf %s", 1)
		out, err := exec.Command(sh, "-c", echoed).Output()
		var got struct {
			Issuer, Subject string
			Audiences       []string
		}
		if e := json.Unmarshal(out, &got); err != nil || e != nil || got.Subject != evil || got.Issuer != p.Issuer || got.Audiences[0] != p.Audience {
			t.Errorf("%q: %q, %v, %v", evil, out, err, e)
		}
		if inner := strings.TrimSuffix(commands[1], "' | Set-Content federated.json   # PowerShell"); strings.ContainsAny(inner[1:], "'\u2018\u2019\u201a\u201b") {
			t.Errorf("%q ends its quotes in PowerShell: %s", evil, inner)
		}
	}
	if c := (presented.Proof{Issuer: "i", Subject: "s"}).Commands("id"); c != nil {
		t.Errorf("commands without an audience: %q", c)
	}
}

func TestInTextReadsEntrasWords(t *testing.T) {
	got := presented.InText("AADSTS70021: No matching federated identity record found for presented assertion. Assertion Issuer: 'https://i'. Assertion Subject: 'repo:a/b:ref:x'. Assertion Audience: 'api://x'. https://...")
	if want := (presented.Proof{Issuer: "https://i", Subject: "repo:a/b:ref:x", Audience: "api://x"}); got != want {
		t.Errorf("%+v", got)
	}
	got = presented.InText("AADSTS700213: No matching federated identity record found for presented assertion subject 'repo:a/b:ref:x'. Check")
	if want := (presented.Proof{Subject: "repo:a/b:ref:x"}); got != want {
		t.Errorf("%+v", got)
	}
}

//go:build linux

package recipes_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"
)

// deployed is the path of a file in deploy. The look at it tells the go command
// that the test depends on the file, which other programs read.
func deployed(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

var shellScripts = []string{"../deploy/systemd/notify-log", "../deploy/ci/github/build.sh", "../deploy/ci/github/send.sh",
	"../scripts/fuzz", "../scripts/nightly", "../scripts/peers", "../scripts/reproducible"}

func TestShellScripts(t *testing.T) {
	for _, name := range shellScripts {
		checks := [][]string{{"sh", "-n"}}
		if _, err := exec.LookPath("shellcheck"); err == nil {
			checks = append(checks, []string{"shellcheck", "-s", "sh"})
		}
		for _, check := range checks {
			if out, err := exec.Command(check[0], append(check[1:], deployed(t, name))...).CombinedOutput(); err != nil {
				t.Errorf("%q %s: %v\n%s", check, name, err, out)
			}
		}
	}
}

// The nightly run goes on after a failure, and tells of it at the end.
func TestNightlyRunsAllRounds(t *testing.T) {
	s := newSite(t)
	s.fake(t, "go", `case "$*" in
	'list ./...') echo example.test/a ;;
	'test -list ^Fuzz example.test/a') printf 'FuzzA\nFuzzB\nok\n' ;;
	*' -fuzz ^FuzzB$ '*) echo "$*"; exit 1 ;;
	*) echo "$CGO_ENABLED $*" ;;
	esac`)
	r := s.run(t, "", "sh", deployed(t, "../scripts/nightly"), "7s", "20")
	if r.code != 1 || r.stderr != "scripts/nightly: failed: fuzz\n" {
		t.Errorf("code and standard error: %v", r)
	}
	if n := strings.Count(r.stdout, "1 test -race -count=1 -shuffle=on -timeout 1h ./...\n"); n != 20 {
		t.Errorf("%d rounds: %v", n, r)
	}
	if !strings.Contains(r.stdout, "-fuzz ^FuzzA$ -fuzztime 7s") {
		t.Errorf("no fuzzing: %v", r)
	}
}

// moving matches what names a version that changes by itself.
var moving = regexp.MustCompile(`@(main|master|latest|stable|HEAD)\b|/(main|master)/|[:=-][ "']*(latest|stable)\b|:(latest|stable)\b`)

// What is built, run or recommended has a version that stays what it is. In
// scripts and workflows these words do not occur at all.
func TestNothingNamesAVersionThatMoves(t *testing.T) {
	words := regexp.MustCompile(`\b(latest|stable)\b|@(main|master)\b|/(main|master)/`)
	top := deployed(t, "..")
	files := 0
	err := filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(top, path) // both are absolute
		if d.IsDir() {
			if slices.Contains([]string{".git", ".peers", "bin", "testdata", "node_modules"}, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		pattern := moving
		first, _, _ := strings.Cut(name, "/")
		switch {
		case slices.Contains([]string{".github", ".ci", "scripts", "Makefile"}, first), first == "deploy" && filepath.Ext(name) != ".md":
			pattern = words
		case filepath.Ext(name) != ".md" && name != "go.mod":
			return nil
		}
		files++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			if m := pattern.FindString(line); m != "" {
				t.Errorf("%s:%d: %q moves: %s", name, i+1, m, line)
			}
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Errorf("%d files: %v", files, err)
	}
}

// Go in the workflow and the template is one that go.mod takes, and actions have
// the hash of a commit.
func TestWorkflowNamesVersions(t *testing.T) {
	text, err := os.ReadFile(deployed(t, "../.github/workflows/test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^ *- uses: (\S+)(.*)$`).FindAllStringSubmatch(string(text), -1) {
		if !regexp.MustCompile(`^[\w/-]+@[0-9a-f]{40}$`).MatchString(m[1]) || !regexp.MustCompile(`^ # v\d+\.\d+\.\d+$`).MatchString(m[2]) {
			t.Errorf("no hash or no version: %s", m[0])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)(?:runs-on|os|image|go-version): (.*)$`).FindAllStringSubmatch(string(text), -1) {
		if !regexp.MustCompile(`^(ubuntu-\d+\.\d+|\[macos-\d+, windows-\d+\]|\$\{\{ matrix\.os \}\}|"1\.26\.\d+")$`).MatchString(m[1]) {
			t.Errorf("no version: %s", m[0])
		}
	}
	var template struct {
		Job struct{ Image string } `yaml:".smtpsend-mail"`
	}
	read(t, "ci/gitlab.yml", &template)
	goVersion, _ := strings.CutPrefix(template.Job.Image, "golang:")
	if n := strings.Count(string(text), "go-version: \""+goVersion+"\"\n"); n == 0 || n != strings.Count(string(text), "go-version:") {
		t.Errorf("the template's Go %s is not that of all %d jobs", goVersion, strings.Count(string(text), "go-version:"))
	}
}

// action runs the action's script as the runner does.
func (s *site) action(t *testing.T, inputs ...string) result {
	t.Helper()
	s.environ = append(s.environ, "GITHUB_ACTIONS=true", "CI=true", "GITHUB_WORKSPACE="+s.dir)
	for _, input := range inputs {
		s.environ = append(s.environ, "INPUT_"+input)
	}
	return s.run(t, "", "sh", deployed(t, "ci/github/send.sh"))
}

func TestGitHubAction(t *testing.T) {
	need(t, "jq")
	s := newSite(t)
	s.write(t, "out/a.xml", "<a/>", 0o644)
	s.write(t, "out/b.xml", "<b/>", 0o644)
	s.write(t, "body.md", "# Result\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", 0o644)
	r := s.action(t, "FROM=CI", "USERNAME=noreply@contoso.example", "TO=a@contoso.example, b@contoso.example", "CC=c@contoso.example",
		"BCC=hidden@contoso.example", "REPLY_TO=r@contoso.example", "SUBJECT=$(id) `id` build failed", "BODY=see \"the\" $HOME\n.\n", "HTML_BODY=file://body.md",
		"CONVERT_MARKDOWN=true", "ATTACHMENTS=out/*.xml , body.md", "PRIORITY=high", `HEADERS={"X-Run": "7", "X-Job": "a b"}`, "IN_REPLY_TO=<1@contoso.example>",
		"NODEMAILERDEBUG=true")
	if r.code != 0 {
		t.Fatal(r)
	}
	if !strings.Contains(r.stderr, "C: AUTH XOAUTH2 [redacted") {
		t.Errorf("no dialogue: %v", r)
	}
	text := s.arrived(t, letter{to: []string{"a@contoso.example", "b@contoso.example", "c@contoso.example", "hidden@contoso.example"}, has: []string{
		"From: CI <noreply@contoso.example>", "Subject: $(id) `id` build failed", "Reply-To: r@contoso.example", "X-Run: 7", "X-Job: a b",
		"In-Reply-To: <1@contoso.example>", `see "the" $HOME`}})
	for _, want := range []string{`filename="a.xml"`, `filename="b.xml"`, `filename="body.md"`, "<table>"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// A job with the permission id-token: write needs no secret, and the runner gives its
// variables to the action.
func TestGitHubActionWithoutASecret(t *testing.T) {
	var action struct {
		Inputs map[string]struct{ Required bool }
	}
	read(t, "ci/github/action.yml", &action)
	if action.Inputs["client_secret"].Required {
		t.Error("client_secret is required")
	}
	s := newSite(t)
	if err := s.WriteCredential(s.envFile, "github"); err != nil {
		t.Fatal(err)
	}
	set, err := os.ReadFile(s.envFile + ".credential")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(set)) {
		s.environ = append(s.environ, strings.ReplaceAll(strings.TrimSpace(line), "'", ""))
	}
	r := s.action(t, "FROM=noreply@contoso.example", "TO=a@contoso.example", "SUBJECT=x", "BODY=x",
		"TENANT_ID="+s.TenantID(), "CLIENT_ID="+s.ClientID(), "CLIENT_SECRET=")
	if r.code != 0 || len(s.Messages()) != 1 {
		t.Errorf("%d messages: %v", len(s.Messages()), r)
	}
}

func TestGitHubActionRefuses(t *testing.T) {
	for input, want := range map[string]string{
		"PASSWORD=hunter2":                         "::error title=smtpsend::password is not taken: smtpsend logs in with OAuth 2",
		"CONNECTION_URL=smtp+starttls://a:hunter2": "connection_url is not taken",
		"IGNORE_CERT=true":                         "ignore_cert is not taken: certificates are always checked",
		"ENVELOPE_FROM=x":                          "envelope_from is not taken",
		"ENVELOPE_TO=x":                            "envelope_to is not taken",
		"HEADERS=[":                                "headers is not a JSON object",
		`HEADERS={"X": "a\nBcc: e@x"}`:             "headers is not a JSON object of single lines",
		"SUBJECT=":                                 "::error title=smtpsend::subject is required",
		"FROM=CI":                                  "::error title=smtpsend::from is a name alone: username has to give the address",
		"ATTACHMENTS=nothere.txt":                  "smtpsend ended with exit code 66",
	} {
		s := newSite(t)
		r := s.action(t, "FROM=noreply@contoso.example", "TO=a@contoso.example", "SUBJECT=x", "BODY=x", input)
		if r.code == 0 || !strings.Contains(r.stdout, want) || len(s.Messages()) > 0 || strings.Contains(r.String(), "hunter2") {
			t.Errorf("%s: %v", input, r)
		}
	}
}

// The title of a commit becomes body, and so may begin with file://.
func TestGitHubActionMailsFilesOfTheWorkspaceOnly(t *testing.T) {
	for _, tt := range []struct{ path, want string }{ // want "" when it is mailed
		{"out/a.txt", ""},
		{"WORKSPACE/out/a.txt", ""},
		{"out//a.txt", ""},
		{"link", ""}, // to out/a.txt
		{"", "the path after file:// is empty"},
		{"out/a.txt\n::set-output name=x::y", "has a line end in it"},
		{"out/a.txt\n", "has a line end in it"},
		{"nothing.txt", "does not name a regular file"},
		{"out", "does not name a regular file"},
		{"pipe", "does not name a regular file"},
		{"device", "does not name a regular file"},
		{"/dev/stdin", "does not name a regular file"},
		{"ELSEWHERE/secret.txt", "leads out of the workspace"},
		{"/etc/passwd", "leads out of the workspace"},
		{"/proc/self/environ", "does not name a regular file"}, // self is another by then
		{"out/../../elsewhere/secret.txt", "may begin with a dot"},
		{"../elsewhere/secret.txt", "may begin with a dot"},
		{"./out/a.txt", "may begin with a dot"},
		{".git/config", "may begin with a dot"},
		{"WORKSPACE/.git/config", "may begin with a dot"},
		{"out/.secret", "may begin with a dot"},
		{"escape", "leads out of the workspace"},                // a link
		{"escape-dir/secret.txt", "leads out of the workspace"}, // below a link
		{"sibling", "leads out of the workspace"},               // to a directory whose name begins with the workspace's
		{"git-link", "leads to a part of a path that begins with a dot"},
		{"git-dir/config", "leads to a part of a path that begins with a dot"},
		{`..\elsewhere\secret.txt`, "write / and not"},
		{`out\..\..\elsewhere\secret.txt`, "write / and not"},
		{"GIT~1/config", "short name"},
	} {
		for _, input := range []string{"BODY", "HTML_BODY"} {
			s := newSite(t)
			plantWorkspace(t, s)
			path := strings.NewReplacer("WORKSPACE", s.dir+"/work", "ELSEWHERE", s.dir+"/elsewhere").Replace(tt.path)
			s.environ = append(s.environ, "GITHUB_WORKSPACE="+s.dir+"/work", "INPUT_FROM=noreply@contoso.example", "INPUT_TO=a@contoso.example",
				"INPUT_SUBJECT=x", "INPUT_"+input+"=file://"+path)
			r := s.run(t, "", "sh", "-c", `cd work && exec sh "$0"`, deployed(t, "ci/github/send.sh"))
			if tt.want == "" {
				if r.code != 0 || len(s.Messages()) != 1 || !strings.Contains(s.arrived(t, letter{to: []string{"a@contoso.example"}}), "of the build") {
					t.Errorf("%s %q: %v", input, tt.path, r)
				}
				continue
			}
			start := "::error title=smtpsend::" + strings.ToLower(input) + ": "
			if r.code != 66 || !strings.HasPrefix(r.stdout, start) || !strings.Contains(r.stdout, tt.want) || strings.Count(r.stdout, "\n") != 1 || len(s.Messages()) > 0 {
				t.Errorf("%s %q: want %q: %v", input, tt.path, tt.want, r)
			}
		}
	}
}

// plantWorkspace makes a workspace and what is beside it.
func plantWorkspace(t *testing.T, s *site) {
	t.Helper()
	for name, content := range map[string]string{
		"work/out/a.txt": "of the build\n", "work/out/.secret": "hunter2\n", "work/.git/config": "hunter2\n",
		"elsewhere/secret.txt": "hunter2\n", "work-2/secret.txt": "hunter2\n",
	} {
		s.write(t, name, content, 0o644)
	}
	for name, target := range map[string]string{
		"link": "out/a.txt", "device": "/dev/null", "escape": "../elsewhere/secret.txt", "escape-dir": s.dir + "/elsewhere",
		"sibling": "../work-2/secret.txt", "git-link": ".git/config", "git-dir": ".git",
	} {
		symlink(t, target, filepath.Join(s.dir, "work", name))
	}
	if err := syscall.Mkfifo(filepath.Join(s.dir, "work/pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Only the start of body counts, and only in this spelling.
func TestGitHubActionMailsOtherTextAsItIs(t *testing.T) {
	s := newSite(t)
	if r := s.action(t, "FROM=noreply@contoso.example", "TO=a@contoso.example", "SUBJECT=x", "BODY=see file:///etc/passwd"); r.code != 0 {
		t.Fatal(r)
	}
	if text := s.arrived(t, letter{to: []string{"a@contoso.example"}}); !strings.Contains(text, "\nsee file:///etc/passwd\n") {
		t.Errorf("content\n%s", text)
	}
}

func TestGitHubActionDryRun(t *testing.T) {
	s := newSite(t)
	if r := s.action(t, "FROM=noreply@contoso.example", "TO=a@contoso.example", "SUBJECT=x", "DRY_RUN=true"); r.code != 0 || len(s.Messages()) > 0 {
		t.Error(r)
	}
}

func TestGitHubActionBuilds(t *testing.T) {
	temp := t.TempDir()
	cmd := exec.Command("sh", deployed(t, "ci/github/build.sh"))
	cmd.Env = append(os.Environ(), "RUNNER_TEMP="+temp, "GITHUB_PATH="+temp+"/path", "GITHUB_ACTION_PATH="+deployed(t, "ci/github"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	path, err := os.ReadFile(temp + "/path")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(filepath.Join(strings.TrimSpace(string(path)), "smtpsend"), "version").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// versions are those that a template builds, or not: what a branch is changes
// without whoever gave it the secret.
var versions = map[string]bool{
	"v1.2.3": true, "v0.1.0-rc.1": true, strings.Repeat("0123456789", 4): true,
	"latest": false, "main": false, "v1": false, "v1.2": false, "abcdef0": false, strings.Repeat("0123456789", 4) + "0": false, "v1.2.3 x": false,
}

func TestGitHubActionBuildsOnlyWhatDoesNotChange(t *testing.T) {
	for version, ok := range versions {
		s := newSite(t)
		s.fake(t, "go", `echo "go $*"`)
		s.environ = append(s.environ, "RUNNER_TEMP="+s.dir, "GITHUB_PATH="+s.dir+"/path", "SMTPSEND_CI_VERSION="+version)
		r := s.run(t, "", "sh", deployed(t, "ci/github/build.sh"))
		want, code := "go install github.com/smtpsend/smtpsend/cmd/smtpsend@"+version+"\n", 0
		if !ok {
			want, code = "::error title=smtpsend::version is neither a release, such as v1.2.3, nor the 40 digits of a commit\n", 64
		}
		if r.code != code || r.stdout != want {
			t.Errorf("%q: want %q: %v", version, want, r)
		}
	}
}

func TestGitLabTemplateBuildsOnlyWhatDoesNotChange(t *testing.T) {
	job := gitLabJob(t)
	without := map[string]bool{"": false}
	maps.Copy(without, versions)
	for version, ok := range without {
		s := newSite(t)
		s.fake(t, "go", `echo "go $*"`)
		s.environ[0] = "PATH=" + s.dir + "/fake:/usr/bin:/bin" // no smtpsend
		if version != "" {
			s.environ = append(s.environ, "SMTPSEND_VERSION="+version)
		}
		r := s.run(t, "", "sh", "-c", strings.Join(job.BeforeScript, "\n"))
		if built := r.stdout == "go install github.com/smtpsend/smtpsend/cmd/smtpsend@"+version+"\n"; built != ok || (r.code == 0) != ok ||
			!ok && !strings.HasPrefix(r.stderr, "SMTPSEND_VERSION is neither") {
			t.Errorf("%q: %v", version, r)
		}
	}
}

// Every input reaches the script through the environment, and none stands in a
// script itself, where it would be run.
func TestGitHubActionPassesEveryInput(t *testing.T) {
	var action struct {
		Inputs map[string]struct{ Description string }
		Runs   struct {
			Using string
			Steps []struct {
				Run, Shell string
				Env        map[string]string
			}
		}
	}
	read(t, "ci/github/action.yml", &action)
	passed := map[string]bool{}
	for _, step := range action.Runs.Steps {
		if strings.Contains(step.Run, "${{") || step.Shell == "" {
			t.Errorf("step %+v", step)
		}
		for name, value := range step.Env {
			input := strings.TrimSuffix(strings.TrimPrefix(value, "${{ inputs."), " }}")
			if name != "INPUT_"+strings.ToUpper(input) && name != "SMTPSEND_CI_VERSION" {
				t.Errorf("%s gets %s", name, value)
			}
			passed[input] = true
		}
	}
	// The inputs of dawidd6/action-send-mail, field.md 7.4.
	known := strings.Fields(`connection_url server_address server_port secure username password subject to from body html_body cc bcc reply_to
		in_reply_to ignore_cert convert_markdown attachments priority headers nodemailerlog nodemailerdebug envelope_from envelope_to
		tenant_id client_id mailbox dry_run client_secret version`)
	for name, input := range action.Inputs {
		if !passed[name] || input.Description == "" || !slices.Contains(known, name) {
			t.Errorf("input %s: passed %v, description %q", name, passed[name], input.Description)
		}
	}
	for _, name := range known {
		if _, ok := action.Inputs[name]; !ok {
			t.Errorf("no input %s", name)
		}
	}
}

func read(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(deployed(t, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// job is a job of a GitLab pipeline.
type job struct {
	Script       []string                     `yaml:"script"`
	BeforeScript []string                     `yaml:"before_script"`
	IDTokens     map[string]map[string]string `yaml:"id_tokens"`
}

func gitLabJob(t *testing.T) job {
	t.Helper()
	var all map[string]yaml.Node
	read(t, "ci/gitlab.yml", &all)
	var j job
	node := all[".smtpsend-mail"]
	if err := node.Decode(&j); err != nil {
		t.Fatal(err)
	}
	return j
}

func TestGitLabTemplate(t *testing.T) {
	job := gitLabJob(t)
	s := newSite(t)
	s.write(t, "report.xml", "<r/>", 0o644)
	s.environ = append(s.environ, "GITLAB_CI=true", "CI=true", "MAIL_TO=team@contoso.example", "MAIL_STATUS=failed", "MAIL_ATTACH=*.xml",
		"CI_PROJECT_PATH=group/project", "CI_PIPELINE_ID=42", "CI_COMMIT_REF_NAME=feature/$(id)", "CI_COMMIT_SHORT_SHA=abcdef12",
		"CI_COMMIT_TITLE=fix `it` ä", "GITLAB_USER_NAME=Zoë", "CI_PIPELINE_URL=https://gitlab.example/group/project/-/pipelines/42")
	r := s.run(t, "", "sh", "-c", strings.Join(append(job.BeforeScript, job.Script...), "\n"))
	if r.code != 0 {
		t.Fatal(r)
	}
	if aud := job.IDTokens["GITLAB_OIDC_TOKEN"]["aud"]; aud != "api://AzureADTokenExchange" {
		t.Errorf("the job's token is for %q", aud)
	}
	text := s.arrived(t, letter{to: []string{"team@contoso.example"}, has: []string{"Auto-Submitted: auto-generated"}})
	if got := s.Messages()[0].Subject; got != "[group/project] pipeline 42 failed on feature/$(id)" {
		t.Errorf("subject %q", got)
	}
	if !regexp.MustCompile(`(?m)^Pipeline: https://gitlab.example/`).MatchString(text) || !strings.Contains(text, `filename="report.xml"`) {
		t.Errorf("content\n%s", text)
	}
	s.environ = append(s.environ, "MAIL_ATTACH=out/*.xml") // the pipeline failed before it made any
	if r := s.run(t, "", "sh", "-c", strings.Join(job.Script, "\n")); r.code != 0 {
		t.Fatal(r)
	}
	sent := s.Messages()
	if raw, _ := s.Raw(sent[len(sent)-1].ID); len(sent) != 2 || !strings.Contains(string(raw), "Nothing attached: there is no out/*.xml.") {
		t.Errorf("%d messages, the last: %s", len(sent), raw)
	}
	var all map[string]yaml.Node
	read(t, "ci/gitlab.yml", &all)
	for name, when := range map[string]string{"smtpsend-passed": "on_success", "smtpsend-failed": "on_failure"} {
		var j struct {
			Extends   string
			Variables map[string]string
			Rules     []struct{ When string }
		}
		n := all[name]
		if err := n.Decode(&j); err != nil || j.Extends != ".smtpsend-mail" || len(j.Rules) != 1 || j.Rules[0].When != when || j.Variables["MAIL_STATUS"] == "" {
			t.Errorf("%s: %+v, %v", name, j, err)
		}
	}
}

package tokencache_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/smtpsend/smtpsend/tokencache"
)

// A test starts its own binary again with jobVariable set, so that processes
// meet at the same files.
const (
	jobVariable      = "TOKENCACHE_TEST_JOB" // "token" or "hold"
	dirVariable      = "TOKENCACHE_TEST_DIR"
	endpointVariable = "TOKENCACHE_TEST_ENDPOINT"
)

// runJob is main of such a process. "token" prints a token; "hold" takes the
// lock, says so, and keeps it until it is killed.
func runJob(job string) int {
	store := tokencache.NewFileStore(os.Getenv(dirVariable))
	key, err := tokencache.NewKey(tokencache.Identity{Client: "c"}, []byte("secret"))
	if err != nil {
		fmt.Println("key:", err)
		return 1
	}
	if job == "hold" {
		unlock, locked, err := store.TryLock(key)
		fmt.Println("locked:", locked, err)
		_, _ = io.Copy(io.Discard, os.Stdin) // which the test never closes
		unlock()                             // not reached; without it a garbage collection closes the file
		return 1
	}
	config := &clientcredentials.Config{
		ClientID: "c", ClientSecret: "secret", TokenURL: os.Getenv(endpointVariable), AuthStyle: oauth2.AuthStyleInParams,
	}
	cache := tokencache.New(config, tokencache.Options{
		Store: store, Key: key, Warn: func(err error) { fmt.Println("warning:", err) },
	})
	token, err := cache.Token(context.Background())
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println(token.AccessToken)
	return 0
}

func command(t *testing.T, job, dir, endpoint string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), jobVariable+"="+job, dirVariable+"="+dir, endpointVariable+"="+endpoint)
	return cmd
}

// storm runs n processes at once and returns what they print.
func storm(t *testing.T, n int, dir, endpoint string) []string {
	t.Helper()
	out := make([]string, n)
	var wg sync.WaitGroup
	for i := range out {
		cmd := command(t, "token", dir, endpoint)
		wg.Go(func() {
			said, _ := cmd.CombinedOutput() // a process that fails has said why
			out[i] = strings.TrimSpace(string(said))
		})
	}
	wg.Wait()
	return out
}

func TestFiftyProcessesMakeOneRequest(t *testing.T) {
	var requests atomic.Int32
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"tok-%d","token_type":"Bearer","expires_in":3599}`, requests.Add(1))
	}))
	defer endpoint.Close()
	for i, said := range storm(t, 50, t.TempDir(), endpoint.URL) {
		if said != "tok-1" {
			t.Errorf("process %d: %s", i, said)
		}
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestProcessesWithAWrongSecretMakeOneSignIn(t *testing.T) {
	var requests atomic.Int32
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}`)
	}))
	defer endpoint.Close()
	for i, said := range storm(t, 20, t.TempDir(), endpoint.URL) {
		if !strings.HasPrefix(said, `error: oauth2: "invalid_client" "AADSTS7000215: Invalid client secret provided."`) {
			t.Errorf("process %d: %s", i, said)
		}
	}
	// A machine that needs more than 10 s to start 20 processes asks again.
	if n := requests.Load(); n < 1 || n > 3 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestLockEndsWithAKilledProcess(t *testing.T) {
	dir := t.TempDir()
	holder := command(t, "hold", dir, "")
	if _, err := holder.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "locked: true <nil>\n" {
		t.Fatalf("holder says %q, %v", line, err)
	}
	store := tokencache.NewFileStore(dir)
	key, err := tokencache.NewKey(tokencache.Identity{Client: "c"}, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if _, locked, err := store.TryLock(key); locked || err != nil {
		t.Fatalf("lock of a living process: %v, %v", locked, err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // "signal: killed"
	unlock, locked, err := store.TryLock(key)
	if err != nil || !locked {
		t.Fatalf("lock of a dead process: %v, %v", locked, err)
	}
	unlock()
	src := &source{life: time.Hour}
	cache := tokencache.New(src, tokencache.Options{Store: store, Key: key, Warn: func(err error) { t.Error(err) }})
	if _, err := cache.Token(t.Context()); err != nil || src.count() != 1 {
		t.Errorf("token after %d requests: %v", src.count(), err)
	}
}

//go:build linux

package interop_test

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// jwk is a public key as the sandbox publishes it.
type jwk struct {
	KID string `json:"kid"`
	Alg string `json:"alg"`
	N   string `json:"n"`
	E   string `json:"e"`
}

// publicKeys fetches the key set of the sandbox's tenant, as a server that
// verifies tokens does.
func publicKeys(t testing.TB, box *sandbox.Sandbox) (raw json.RawMessage, keys []jwk) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(box.CAPEM())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get(box.URL() + "/" + box.TenantID() + "/discovery/v2.0/keys")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&raw); err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []jwk }
	if err := json.Unmarshal(raw, &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("key set %s: %v", raw, err)
	}
	return raw, set.Keys
}

// pem is the key in the form that Dovecot reads.
func (k jwk) pem(t testing.TB) string {
	t.Helper()
	number := func(text string) *big.Int {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return new(big.Int).SetBytes(b)
	}
	der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: number(k.N), E: int(number(k.E).Int64())})
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// oauth2Conf makes Dovecot verify tokens by itself: signature, times, audience,
// and that they are of the sandbox's application. Any name may go with such a
// token, because an application's token names no user: username_format turns
// both sides of that comparison into the same word.
const oauth2Conf = `introspection_mode = local
local_validation_key_dict = fs:posix:prefix=%[1]s/keys/
client_id = https://outlook.office365.com
active_attribute = appid
active_value = %[2]s
username_attribute = appid
username_format = any
`

const dovecotConf = `base_dir = %[1]s/dovecot
log_path = /dev/stderr
protocols = submission
listen = 127.0.0.1
hostname = dovecot.fabrikam.example
ssl = required
ssl_cert = <%[1]s/cert.pem
ssl_key = <%[1]s/key.pem
auth_mechanisms = xoauth2 oauthbearer
auth_failure_delay = 0
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = %[1]s/oauth2.conf
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=%[1]s/home/%%u
}
mail_location = maildir:~/Maildir
service auth {
  unix_listener %[1]s/auth {
    mode = 0666
  }
}
# Without this, who was refused waits longer each time.
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service submission-login {
  inet_listener submission {
    port = %[2]s
  }
}
submission_relay_host = 127.0.0.1
submission_relay_port = %[3]s
submission_relay_ssl = no
`

// startDovecot runs Dovecot below dir, which has its certificate: authentication
// for Postfix on the socket dir/auth, and its own submission service on port,
// which relays to the port relay.
func startDovecot(t testing.TB, dir string, box *sandbox.Sandbox, port, relay string) *server {
	t.Helper()
	need(t, "dovecot", "/usr/lib/dovecot/submission")
	_, keys := publicKeys(t, box)
	place := filepath.Join(dir, "keys", "default", keys[0].Alg)
	if err := os.MkdirAll(place, 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(place, keys[0].KID), keys[0].pem(t))
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(home, 0o777); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "oauth2.conf"), fmt.Sprintf(oauth2Conf, dir, box.ClientID()))
	conf := writeFile(t, filepath.Join(dir, "dovecot.conf"), fmt.Sprintf(dovecotConf, dir, port, relay))
	s, _ := serve(t, exec.Command("dovecot", "-F", "-c", conf), "starting up for submission")
	return s
}

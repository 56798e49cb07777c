package doctor_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/doctor"
	"github.com/smtpsend/smtpsend/internal/keypair"
)

// TestKeyIsReadOnce: to decrypt one is made to cost much. The second look at the file
// would find none.
func TestKeyIsReadOnce(t *testing.T) {
	pair, err := keypair.New(keypair.Template{Bits: 2048})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "client.pem")
	if err := os.WriteFile(file, []byte(pair.PEM().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(t.Context(), config.Options{NoEnvFile: true, Environ: []string{
		"SMTPSEND_OFFICE_TENANT_ID=contoso.example", "SMTPSEND_OFFICE_CLIENT_ID=11111111-2222-3333-4444-555555555555",
		"SMTPSEND_MAIL_SENDER=a@contoso.example", "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE=" + file,
	}})
	if err != nil {
		t.Fatal(err)
	}
	o, err := doctor.FromSettings(account.New(cfg, account.Options{}), doctor.Asked{Name: func(field string) string { return field }})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	found, err := o.Credential(t.Context())
	if short, _ := keypair.Thumbprints(pair.Certificate()); err != nil || !strings.HasSuffix(found.Kind, ", thumbprint "+short) {
		t.Errorf("%s, %v", found.Kind, err)
	}
}

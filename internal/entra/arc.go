package entra

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// maxArcKey is the size in octets of a file of Arc's agent, as Microsoft's libraries
// bound it.
const maxArcKey = 4096

// ArcError says why the key of Azure Arc's agent cannot be had.
type ArcError struct {
	Host string // of the agent
	Err  error
}

// Error says why.
func (e *ArcError) Error() string {
	return "entra: Azure Arc's agent at " + e.Host + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *ArcError) Unwrap() error { return e.Err }

// Fault is what the catalogue of failures calls it.
func (e *ArcError) Fault() smtp.Fault { return smtp.FaultArcKey }

// readArcKey reads the file that a challenge of Arc's agent names: "Basic realm=FILE".
// Whoever answers at the agent's port must not have another file read, so only a file
// *.key in the agent's directory is.
func readArcKey(ctx context.Context, challenge, dir string) (secret.String, error) {
	if dir == "" {
		dir = arcKeys()
	}
	if dir == "" {
		return secret.String{}, errors.New("there is no Azure Arc for " + runtime.GOOS)
	}
	scheme, realm, ok := strings.Cut(challenge, " realm=")
	if !ok || !strings.EqualFold(strings.TrimSpace(scheme), "Basic") {
		return secret.String{}, errors.New("its challenge names no file")
	}
	name := filepath.Clean(strings.Trim(realm, `"`))
	if filepath.Dir(name) != filepath.Clean(dir) || filepath.Ext(name) != ".key" {
		return secret.String{}, fmt.Errorf("its challenge names a file that is not a .key in %s", dir)
	}
	if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return secret.String{}, errors.New("its challenge names something other than a plain file")
	}
	data, err := ownfile.ReadAll(ctx, name, maxArcKey)
	if err != nil {
		return secret.String{}, fmt.Errorf("its key cannot be read: %s (a member of the group himds can)", ownfile.Reason(err))
	}
	return secret.New(strings.TrimSpace(string(data))), nil
}

// arcKeys is the agent's directory.
func arcKeys() string {
	switch runtime.GOOS {
	case "linux":
		return "/var/opt/azcmagent/tokens"
	case "windows":
		return filepath.Join(os.Getenv("ProgramData"), "AzureConnectedMachineAgent", "Tokens")
	}
	return ""
}

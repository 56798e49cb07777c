package certview

import (
	"cmp"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// Upload says how the public part of a pair gets to the app registration.
type Upload struct {
	File       string   `json:"file"` // the public part
	Portal     string   `json:"portal"`
	AzureCLI   string   `json:"azure_cli"`
	PowerShell []string `json:"powershell"`
}

// portal is the path in the Microsoft Entra admin center.
const portal = "entra.microsoft.com > App registrations > your app > Certificates & secrets > Certificates > Upload certificate"

// NewUpload is for the file of the public part, and the client ID, "" when it is not known.
// Update-MgApplication replaces all key credentials of the application, so the ones that it
// has are given again (Microsoft Graph, "Add a certificate to an app").
func NewUpload(file, clientID string) Upload {
	id := cmp.Or(clientID, "CLIENT-ID")
	return Upload{
		File: file, Portal: portal,
		AzureCLI: "az ad app credential reset --id " + quoted(id) + " --append --cert " + quoted("@"+file),
		PowerShell: []string{
			"Connect-MgGraph -Scopes Application.ReadWrite.All",
			"$app = Get-MgApplication -Filter \"appId eq '" + strings.ReplaceAll(id, "'", "") + "'\"",
			"$cert = [System.Security.Cryptography.X509Certificates.X509Certificate2]::new((Resolve-Path '" + strings.ReplaceAll(file, "'", "''") + "').Path)",
			"$new = @{ Type = 'AsymmetricX509Cert'; Usage = 'Verify'; Key = $cert.RawData }",
			"Update-MgApplication -ApplicationId $app.Id -KeyCredentials (@($app.KeyCredentials) + $new)",
		},
	}
}

// plain is a word that a shell takes as it is.
var plain = lazyregexp.New(`^[A-Za-z0-9@%+=:,./_-]+$`)

// quoted is a word for a shell (POSIX, "Shell Command Language", 2.2.2).
func quoted(word string) string {
	if plain.Get().MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func (v Upload) print(p *stdio.Printer) {
	p.Printf("\nUpload %s, the public part, in one of these ways:\n", v.File)
	p.Printf("  portal: %s\n  Azure CLI:\n    %s\n  Microsoft Graph PowerShell:\n", v.Portal, v.AzureCLI)
	for _, line := range v.PowerShell {
		p.Printf("    %s\n", line)
	}
}

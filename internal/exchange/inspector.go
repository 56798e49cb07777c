package exchange

import "github.com/smtpsend/smtpsend/internal/lazyregexp"

// makers are the products that open TLS on the way, by the names in the
// certificates that they make. It is the one list of them: for certificates, and
// for texts that quote one.
const makers = `zscaler|netskope|goskope|fortinet|fortigate|blue ?coat|symantec (?:web|proxy)|palo ?alto|forcepoint|websense|` +
	`check ?point|sophos|barracuda|cisco (?:umbrella|secure|ironport)|sonicwall|watchguard|kaspersky|\beset\b|\bavast|` +
	`\bavg (?:web|mail|tech|anti)|bitdefender|mcafee|skyhigh|trend ?micro|cato networks|\biboss|lightspeed systems|securly|` +
	`contentkeeper|smoothwall|untangle|cloudflare (?:gateway|for teams)|gateway ca - cloudflare|\bsquid\b|pfsense|opnsense|` +
	`mitmproxy|fiddler|charles proxy|portswigger|dr\.?web\b|adguard`

var (
	// inspectors finds such a product in a text.
	inspectors = lazyregexp.New(`(?i)` + makers)
	// inspectingAuthority is one, or the words by which companies name the
	// authorities that they make for it.
	inspectingAuthority = lazyregexp.New(`(?i)` + makers + `|umbrella|lightspeed|` +
		`(?:ssl|tls|https|web|deep|decrypt\w*)[ -]*(?:inspect\w*|intercept\w*|scan\w*|decrypt\w*|proxy|filter)|\bproxy (?:ca|root)|forward ?trust`)
	// publicIssuers sign the certificates of Microsoft's hosts.
	publicIssuers = lazyregexp.New(`(?i)digicert|microsoft|globalsign|baltimore|entrust|cfca|wotrus`)
)

// NamesInspector reports whether a text has the name of a product that opens TLS.
func NamesInspector(text string) bool { return inspectors.Get().MatchString(text) }

// Inspects reports whether an issuer of certificates is such a product, or has a name
// by which companies call the authority that they make for one.
func Inspects(issuer string) bool { return inspectingAuthority.Get().MatchString(issuer) }

// SignsForMicrosoft reports whether an issuer is an authority that signs the
// certificates of Microsoft's hosts
// (learn.microsoft.com/purview/encryption-office-365-certificate-chains).
func SignsForMicrosoft(issuer string) bool { return publicIssuers.Get().MatchString(issuer) }

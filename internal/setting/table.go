package setting

import (
	"strconv"
	"sync"

	"github.com/smtpsend/smtpsend/internal/exchange"
)

// Headings of the groups, in their order.
const (
	groupMail   = "Mail"
	groupServer = "Server"
	groupToken  = "Token"
	groupLocal  = "Network and files"
	groupLink   = "The sendmail command"
	groupQueue  = "The outbox"
	groupRelay  = "The relay"
)

// table is made once: it is asked for every name that is met.
var table = sync.OnceValue(func() []Setting {
	var all []Setting
	for _, group := range [][]Setting{mailSettings(), serverSettings(), identitySettings(), secretSettings(), tokenSettings(), certificateSettings(), tokenlessSettings(), localSettings(), sendmailSettings(), queueSettings(), relaySettings()} {
		all = append(all, group...)
	}
	return all
})

func mailSettings() []Setting {
	return []Setting{{
		Name: "MAIL_SENDER", Registry: "MailSender", Group: groupMail,
		Default: "(SMTP_USER_NAME)",
		Comment: "Address in From for a message that has none.",
		Example: "reports@contoso.example",
	}, {
		Name: "NO_MAILS", Registry: "NoMails", Group: groupMail,
		Default: "0",
		Comment: "1 = compose and check every message, but submit nothing and open no connection.",
		Example: "1",
	}, {
		Name: "REENCODE", Group: groupMail,
		Default: "always",
		Comment: "What is re-encoded in a ready message (sendmail, send --message), without a change of meaning: " +
			"always = text and header fields with octets above 127, which Exchange Online is reported to garble, and what no server accepts; " +
			"long = only what no server accepts: lines over 998 octets, and text with NUL; never = nothing: such a message is refused. " +
			"Signed and encrypted parts never change.",
		Example: "never",
	}, {
		Name: "REENCODE_LONG_LINES", Group: groupMail,
		Default: "0",
		Comment: "Older setting, still read. By default SMTPSEND_REENCODE does the same and more.",
		Example: "1",
	}}
}

func serverSettings() []Setting {
	return []Setting{{
		Name: "MAIL_SERVER", Registry: "MailServer", YAML: "smtpServer", Group: groupServer,
		Default: exchange.SMTPHost,
		Comment: "Host name or IP address of the SMTP server.",
		Example: exchange.SMTPHost,
	}, {
		Name: "SERVICE", Group: groupServer,
		Default: "exchange",
		Comment: "exchange or hve (High Volume Email: mail inside the organisation only, from an HVE account). hve sets the server (" + exchange.HVEHost + "), the grace time of the token (1200), " +
			"50 recipients a transaction, and no limit of messages a minute and recipients a day. You can still set the server, the grace time and both limits.",
		Example: "hve",
	}, {
		Name: "SMTP_PORT", Registry: "SMTPPort", YAML: "smtpPort", Group: groupServer,
		Default: "587",
		Comment: "Port of the SMTP server.",
		Example: "587",
	}, {
		Name: "SMTP_SECURITY", Registry: "SMTPSecurity", YAML: "smtpEncryption", Group: groupServer,
		Default: "2",
		Comment: "2 (TLS) = STARTTLS, required; 1 (SSL) = TLS from the start, usually port 465; 0 (NONE) = none, refused unless the server is loopback.",
		Example: "2",
	}, {
		Name: "SMTP_AUTHENTICATING", Registry: "SMTPAuthenticating", YAML: "smtpAuthentication", Group: groupServer,
		Default: "3",
		Comment: "3 (MS_OAUTH) = OAuth2 Microsoft Office. There is no other method.",
		Example: "3",
	}, {
		Name: "SMTP_USER_NAME", Registry: "SMTPUserName", YAML: "smtpUsername", Group: groupServer,
		Default: "(the address in From)",
		Comment: "Mailbox that signs in. Set it to send for others from one mailbox, which then needs the Send As right. Leave it unset to sign in as the mailbox in each From.",
		Example: "reports@contoso.example",
	}}
}

// entraEndpoint is where the public cloud gives tokens.
const entraEndpoint = "https://" + exchange.Authority + "/" + TenantPlaceholder + "/oauth2/v2.0/token"

func identitySettings() []Setting {
	return []Setting{{
		Name: "OFFICE_CLIENT_ID", Registry: "OfficeClientID", YAML: "oAuthClientId", Azure: "AZURE_CLIENT_ID", Group: groupToken,
		Default: "(AZURE_CLIENT_ID, or AZURESUBSCRIPTION_CLIENT_ID in a task of Azure Pipelines)", Required: true,
		Comment: "Application (client) ID of the app registration.",
		Example: "11111111-2222-3333-4444-555555555555",
	}, {
		Name: "OFFICE_TENANT_ID", Registry: "OfficeTenantID", YAML: "oAuthTenantId", Azure: "AZURE_TENANT_ID", Group: groupToken,
		Default: "(AZURE_TENANT_ID, or AZURESUBSCRIPTION_TENANT_ID in a task of Azure Pipelines)", Required: true,
		Comment: "Directory (tenant) ID, or a domain of the tenant.",
		Example: "contoso.onmicrosoft.com",
	}}
}

func tokenSettings() []Setting {
	return []Setting{{
		Name: "OFFICE_TOKEN_ENDPOINT", Registry: "OfficeTokenEndpoint", Group: groupToken,
		Default: entraEndpoint,
		Comment: "URL that the token is fetched from. #TenantID# is replaced by the tenant. If AZURE_AUTHORITY_HOST is set, it replaces the host of the default; it must be a host of Microsoft's.",
		Example: entraEndpoint,
	}, {
		Name: "OFFICE_ACCESS_SCOPES", Registry: "OfficeAccessScopes", Group: groupToken,
		Default: exchange.Worldwide.Scope(),
		Comment: "Scopes of the token, separated by blanks or commas.",
		Example: exchange.Worldwide.Scope(),
	}, {
		Name: "OFFICE_TOKEN_GRACE_TIME_IN_SECONDS", Registry: "OfficeTokenGraceTimeInSeconds", Group: groupToken,
		Default: "30",
		Comment: "A token is renewed this long before it expires, but not in the first half of its life.",
		Example: "30",
	}, {
		Name: "CLOUD", Group: groupToken,
		Default: "public",
		Comment: "public, usgov, usgov-dod or china: sets token endpoint, scope and server together. You can still set each of them. " +
			"Except for public, scope and server are second-hand values, and for usgov-dod two servers are known: check them against your tenant.",
		Example: "public",
	}}
}

func localSettings() []Setting {
	return []Setting{{
		Name: "CA_FILE", Group: groupLocal, Path: true,
		Comment: "File with additional root certificates, for the token endpoint and the SMTP server: PEM, or one certificate in DER. A certificate that cannot be read is an error.",
		Example: "/etc/smtpsend/ca.pem",
	}, {
		Name: "PROXY", Group: groupLocal,
		Comment: "Proxy for the token endpoint and the SMTP server: http:// or https:// (CONNECT), socks5:// (names resolved by the proxy). A password in it is masked when shown.",
		Example: "http://proxy.contoso.example:3128",
	}, {
		Name: "EHLO_NAME", Group: groupLocal,
		Default: "(address literal of this host)",
		Comment: "Name in EHLO: a host name, or an address literal in brackets.",
		Example: "mailer.contoso.example",
	}, {
		Name: "IP_FAMILY", Group: groupLocal,
		Default: "any",
		Comment: "Which addresses of the SMTP server, or of its proxy, are tried: any, ipv4 or ipv6.",
		Example: "ipv4",
	}, {
		Name: "CACHE_DIR", Group: groupLocal, Path: true,
		Default: "(smtpsend in the user's cache directory)",
		Comment: "Directory for the encrypted token and for the locks that limit the connections of a mailbox.",
		Example: "/var/cache/smtpsend",
	}, {
		Name: "IDENTITY_FILE", Group: groupLocal, Path: true,
		Default: "(smtpsend/identity.txt in the user's configuration directory)",
		Comment: "File with the key that opens sealed values.",
		Example: "/etc/smtpsend/identity.txt",
	}}
}

func sendmailSettings() []Setting {
	return []Setting{{
		Name: "DEFAULT_DOMAIN", Group: groupLink,
		Comment: "Domain for recipients that have no domain and no alias, such as root.",
		Example: "contoso.example",
	}, {
		Name: "ALIASES_FILE", Group: groupLink, Path: true,
		Default: "(/etc/aliases, when it can be read)",
		Comment: "File that says whose mail goes where, as /etc/aliases does for Postfix. /dev/null = no aliases.",
		Example: "/etc/smtpsend/aliases",
	}, {
		Name: "DEAD_LETTER_DIR", Group: groupLink, Path: true,
		Default: "(dead.letter in the home directory)",
		Comment: "Directory for messages that could not be submitted: each in a file, with a second file that says why and for whom. The directory must exist.",
		Example: "/var/spool/smtpsend/dead",
	}, {
		Name: "FORCE_FROM", Group: groupLink,
		Default: "0",
		Comment: "1 = always use SMTPSEND_MAIL_SENDER in From and in MAIL, for a host whose programs insist on addresses that the mailbox may not send as.",
		Example: "1",
	}}
}

func relaySettings() []Setting {
	return []Setting{{
		Name: "RELAY_FILE", Group: groupRelay, Path: true,
		Comment: "Settings file of the relay (YAML): its listeners, clients and rules for senders. smtpsend relay example prints one.",
		Example: "/etc/smtpsend/relay.yaml",
	}, {
		Name: "RELAY_SOCKET", Group: groupRelay, Path: true,
		Comment: "Unix socket of a relay on this host. sendmail hands its mail to it, and needs no credential: the relay knows the caller by its user.",
		Example: "/run/smtpsend/relay.sock",
	}}
}

func queueSettings() []Setting {
	return []Setting{{
		Name: "QUEUE", Group: groupQueue,
		Default: "never",
		Comment: "What send and sendmail do: never = submit at once, and fail if that fails; fallback = put the message into the outbox if it could not be submitted now; always = put every message into the outbox, and queue run submits it.",
		Example: "fallback",
	}, {
		Name: "STATE_DIR", Group: groupQueue, Path: true,
		Default: "(smtpsend in the user's state directory; /var/lib/smtpsend for root)",
		Comment: "Directory of the outbox, on a local disk.",
		Example: "/srv/smtpsend",
	}, {
		Name: "IN_DOUBT", Group: groupQueue,
		Default: "resend",
		Comment: "What the outbox does with a message whose final dot was sent and not answered: resend = send it again with the same Message-ID, and record that; hold = hold it until you decide.",
		Example: "hold",
	}, {
		Name: "OPERATOR", Group: groupQueue,
		Comment: "Address that gets a notice when a message is refused or expired, and when a mailbox is held, is paused for long, or submits again, and when a credential or a certificate ends. The notice is sent from a mailbox that works.",
		Example: "postmaster@contoso.example",
	}, {
		Name: NotifyCommand, Group: groupQueue, Command: true,
		Comment: "Program that gets the same notices as JSON on standard input, so that they do not depend on mail (run without a shell, 30 seconds at most).",
		Example: "/usr/local/lib/smtpsend/page-on-call",
	}, {
		Name: "MESSAGES_PER_MINUTE", Group: groupQueue,
		Default: strconv.Itoa(exchange.MessagesPerMinute),
		Comment: "Messages that the outbox submits for one mailbox in any 60 seconds; Exchange Online allows no more than " +
			strconv.Itoa(exchange.MessagesPerMinute) + ". With SMTPSEND_SERVICE=hve it is 0: no limit.",
		Example: "20",
	}, {
		Name: "RECIPIENTS_PER_DAY", Group: groupQueue,
		Default: strconv.Itoa(exchange.RecipientsPerDay),
		Comment: "Recipients that the outbox submits to for one mailbox in any 24 hours; Exchange Online allows no more than 10,000. With SMTPSEND_SERVICE=hve it is 0: no limit.",
		Example: "5000",
	}, {
		Name: "TIME_SCALE", Group: groupQueue,
		Default: "1",
		Comment: "For tests with a sandbox: the outbox's minutes and days run this many times faster, as the sandbox's do. Refused unless the server is loopback.",
		Example: "60",
	}}
}

package paste

import (
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// mark is a place in a text that tells whose server speaks.
type mark struct {
	start, end int
	microsoft  bool
	foreign    bool // a known other provider or server program
	answering  bool // an unknown host, named as the one that was asked or answered
	address    bool // an IP address, which tells where a connection went and not who speaks
}

// Whose words they are decides about everything that other servers say in the
// same way. Each begins a word; those of others are whole words.
var (
	microsoftWords = []string{
		"office 365", "office365", "office-365", "outlook365", "outlook 365", "microsoft 365", "microsoft365", "o365",
		"m365", "exchange online", "exchange-online", "exchangeonline", "exchange server", "microsoft exchange",
		"ms exchange", "exchangelabs", "entra", "azure ad", "azuread", "azure-ad", "azure active directory",
		"microsoft identity", "microsoft.identity", "aadsts", "storedrv", "microsoft esmtp", "msal", "azure.identity",
		"onmicrosoft.com", "wascl", "high volume email", "new-serviceprincipal", "get-serviceprincipal", "set-casmailbox",
		"get-casmailbox", "set-transportconfig", "get-transportconfig", "add-mailboxpermission", "add-recipientpermission",
		"new-managementroleassignment", "new-managementscope", "test-serviceprincipalauthorization",
		"connect-exchangeonline",
	}
	foreignWords = []string{
		"gsmtp", "google", "gmail", "yahoo", "aol", "exim", "dovecot", "postfix/smtpd", "esmtp postfix", "sendgrid",
		"mailgun", "mailjet", "postmark", "sparkpost", "amazon ses", "amazonses", "zoho", "icloud", "fastmail",
		"protonmail", "proton mail", "mailtrap", "brevo", "sendinblue", "hmailserver", "mailenable", "smartermail",
		"mdaemon", "kerio", "zimbra", "cyrus", "courier", "qmail", "opensmtpd", "okta", "auth0", "cognito", "onelogin",
		"strato", "ionos", "mimecast", "proofpoint", "spamassassin", "amavis", "rspamd", "mailcow", "plesk", "cpanel",
		"axigen", "icewarp", "lotus domino", "groupwise", "gmx", "yandex", "azurecomm.net", "azure communication",
	}
)

// reportWords introduce a reply in Exchange's non-delivery reports.
var (
	reportWords = []string{
		"remote server returned", "remoteserver hat", "remote server hat", "serveur distant a renvoyé",
		"serveur distant a retourné", "servidor remoto devolvió", "server remoto ha restituito",
		"servidor remoto devolveu", "servidor remoto retornou", "externe server retourneerde", "serwer zdalny zwrócił",
		"リモート サーバーが", "リモートサーバーが", "远程服务器返回", "원격 서버에서",
	}
	reportedReply = lazyregexp.New(`^[^0-9A-Za-z\n]{1,12}[45]\d\d[ -]`)
)

// Addresses of people say nothing about servers, so what follows an @ is passed over.
var (
	// misspeltHost looks like one of Microsoft's and is not: the mistake itself.
	misspeltHost = lazyregexp.New(`(?i)(?:off?ice?|of+ice)\.?(?:365|356|635|36)|outlo+k\.?(?:365|office)|microsoft-?online|micros[oi]ftonline|outlook\.office`)
	// packageRoots begin the names of packages and classes, which have dots as hosts have.
	packageRoots = []string{
		"com", "org", "net", "io", "java", "javax", "jakarta", "sun", "system", "microsoft", "node", "internal", "at",
		"de", "me", "in", "no", "is", "be", "it",
	}
	publicSuffixes = []string{
		"com", "net", "org", "de", "fr", "io", "co", "uk", "us", "es", "it", "ru", "cn", "jp", "local", "lan", "example",
		"internal", "eu", "nl", "ch", "at", "be", "pl", "br", "in", "info", "biz", "me", "cloud", "dev", "email", "corp",
		"gov", "edu", "mx", "ca", "au", "microsoft", "se", "no", "dk", "fi", "cz", "test", "invalid", "localdomain",
	}
	// exchangesOwn are the names that Exchange's components put before a reason,
	// and the marks of Exchange Online Protection after one.
	exchangesOwn = lazyregexp.New(`\b(?:(?i:RESOLVER)\.(?:ADR|RST|FWD|CON|GRP|PF|MT)\.|(?:ROUTING|SMTPSEND|APPROVAL|QUEUE)\.[A-Z]|TRANSPORT\.RULES\.|STOREDRV\b)|\bAS\(\d{3,}\)\s*(?:$|[\[\n'"”»)])|\(S\d{3,}\)|\b(?:ATTR|PRX)\d{1,2}\b|(?i:\.[a-z]{3,4}p(?:rd)?\d{2,3}\.prod\b)`)
	// exchangesOwnWords are what to look for first: each of those has one.
	exchangesOwnWords = []string{
		"resolver.", "routing.", "smtpsend.", "approval.", "queue.", "transport.rules.", "storedrv", "as(", "(s", "attr",
		"prx", ".prod",
	}
)

// speakers are what tells whose server speaks at a place of the text.
type speakers struct {
	src          *source
	marks, hosts []mark
}

func newSpeakers(src *source) *speakers {
	w := &speakers{src: src}
	w.marks, w.hosts = findMarks(src.text, src.lower)
	w.marks = append(w.marks, src.wrappedMarks()...)
	return w
}

const maxMarks = 2000

// clientHosts are those of Microsoft's that send, and never answer.
const clientHosts = ".outbound.protection.outlook.com"

// findMarks finds the marks of a text, and the names of hosts in it. lower is the text
// in lower case.
func findMarks(text, lower string) (marks, hosts []mark) {
	marks = append(nameMarks(text, lower), reportMarks(text, lower)...)
	for _, at := range hostNames(lower) {
		h, isHost := hostMark(text, lower, at)
		if !isHost {
			continue
		}
		hosts = append(hosts, h)
		speaks := h.microsoft && !h.address
		if speaks || h.answering {
			marks = append(marks, h)
		}
	}
	return marks, append(hosts, exchangeIPv6(lower)...)
}

// nameMarks are the names of Microsoft's products, and of others'.
func nameMarks(text, lower string) (marks []mark) {
	for _, w := range microsoftWords {
		for _, at := range wordStarts(lower, w) {
			if !ofPerson(text, at) && !inPath(text, at) {
				marks = append(marks, mark{start: at, end: at + len(w), microsoft: true})
			}
		}
	}
	for _, w := range foreignWords {
		for _, at := range wordStarts(lower, w) {
			if end := at + len(w); endsWord(lower, end) && !ofPerson(text, at) {
				marks = append(marks, mark{start: at, end: end, foreign: true})
			}
		}
	}
	return marks
}

// reportMarks are the words of Exchange's reports, and of its components.
func reportMarks(text, lower string) (marks []mark) {
	for _, w := range reportWords {
		for _, at := range wordStarts(lower, w) {
			if reportedReply.Get().MatchString(text[at+len(w) : min(len(text), at+len(w)+40)]) {
				marks = append(marks, mark{start: at, end: at + len(w), microsoft: true})
			}
		}
	}
	if slices.ContainsFunc(exchangesOwnWords, func(w string) bool { return strings.Contains(lower, w) }) {
		for _, m := range exchangesOwn.Get().FindAllStringIndex(text, maxMarks) {
			marks = append(marks, mark{start: m[0], end: m[1], microsoft: true})
		}
	}
	return marks
}

// hostMark is the host whose name or address is at this place. ok is false for what only
// looks like one, and for hosts that say nothing about who answered.
func hostMark(text, lower string, at region) (m mark, ok bool) {
	name := lower[at.start:at.end]
	m = mark{start: at.start, end: at.end}
	if exchangeIPv4(name) && dialled(text, at) {
		m.microsoft, m.address = true, true
		return m, true
	}
	switch {
	case ofPerson(text, at.start), inPath(text, at.start), strings.HasSuffix(name, clientHosts), exchange.NamesInspector(name):
		return mark{}, false
	case !slices.Contains(publicSuffixes, name[strings.LastIndexByte(name, '.')+1:]):
		return mark{}, false
	case slices.Contains(packageRoots, name[:strings.IndexByte(name, '.')]):
		return mark{}, false
	}
	m.microsoft = exchange.IsMicrosoft(name) || misspeltHost.Get().MatchString(name)
	m.answering = !m.microsoft && answers(text, m)
	return m, true
}

// answers reports whether the text names the host as a mail server that was
// asked or answered, and not, say, as the name that the client gave itself.
func answers(text string, h mark) bool {
	before := text[max(0, h.start-40):h.start]
	if clientsName.Get().MatchString(before) {
		return false
	}
	return asked.Get().MatchString(before) || said.Get().MatchString(text[h.end:min(len(text), h.end+60)]) || mailName.Get().MatchString(text[h.start:h.end])
}

var (
	clientsName = lazyregexp.New(`(?i)(?:ehlo|helo)[ =:]*["'<]?$|reporting-mta:\s*dns;\s*$|\bby $|from $`)
	asked       = lazyregexp.New(`(?i)(?:host|server|hostname|address|relay|remote-mta|mailhost|smarthost|connect to|connecting to|connected to|opening to)["']?\s*(?:name\s*)?[=:>]{0,2}\s*["'\x60(\[]?(?:dns;\s*|smtp://|tcp://|ssl://|tls://)?$`)
	said        = lazyregexp.New(`(?i)^\.?\s?(?:[\[(][0-9a-f.:]+[\])])?(?::\d+)?["']?\s*(?:said|refused|rejected|answered|responded|replied|returned)\b`)
	mailName    = lazyregexp.New(`(?i)^(?:smtp|mail|mx|mailout|mta|relay|imap|pop|pop3|mout|out|email|post)[\w-]*\.`)
	// ownLog is where a mail server writes down what it refused itself.
	ownLog = lazyregexp.New(`(?i)/smtpd\[|\bNOQUEUE:|\brejected (?:RCPT|MAIL|EHLO|HELO|after DATA|connection)\b|dovecot: `)
)

const maxOfOneWord = 100

// wordStarts are the places where a word begins with w.
func wordStarts(text, w string) []int {
	var out []int
	for from := 0; len(out) < maxOfOneWord; {
		i := strings.Index(text[from:], w)
		if i < 0 {
			break
		}
		i += from
		from = i + len(w)
		if i == 0 || !letterOrDigit(text[i-1]) {
			out = append(out, i)
		}
	}
	return out
}

// hostNames are the runs of letters, digits, hyphens and dots with a dot inside.
func hostNames(text string) []region {
	var out []region
	for i := 0; i < len(text) && len(out) < maxMarks; i++ {
		if !letterOrDigit(text[i]) {
			continue
		}
		end, dots := i, 0
		for end < len(text) && (letterOrDigit(text[end]) || joinsWords(text, end)) {
			if text[end] == '.' {
				dots++
			}
			end++
		}
		if dots > 0 && end-i <= 253 {
			out = append(out, region{i, end})
		}
		i = end
	}
	return out
}

// joinsWords reports whether the octet is a dot or hyphen that a letter or digit follows.
func joinsWords(text string, i int) bool {
	joiner := text[i] == '.' || text[i] == '-'
	return joiner && i+1 < len(text) && letterOrDigit(text[i+1])
}

// endsWord reports whether no letter or digit is at this place.
func endsWord(text string, at int) bool { return at == len(text) || !letterOrDigit(text[at]) }

// inPath reports whether the name at start is a part of a path or URL and not
// its host.
func inPath(text string, start int) bool {
	before := text[:start]
	return strings.HasSuffix(before, "/") && !strings.HasSuffix(before, "//")
}

// ofPerson reports whether the name at start belongs to an address of a person.
func ofPerson(text string, start int) bool {
	for i := start - 1; i >= 0 && i > start-64; i-- {
		switch c := text[i]; {
		case c == '@':
			return true
		case c != '.' && c != '-' && !letterOrDigit(c):
			return false
		}
	}
	return false
}

// microsofts reports whether a failure at this place is Exchange's or Entra's.
// A weak one, which others word alike, needs a mark of Microsoft's nearer than
// one of another's; a strong one is doubted only beside another's mark with
// none of Microsoft's in the whole text.
func (w *speakers) microsofts(at region, weak bool) bool {
	mine, known, answering := w.nearest(at)
	switch {
	case !weak && mine >= 0:
		return true
	case !weak:
		return known < 0 || known > 300
	case mine < 0, known >= 0 && known < mine, answering >= 0 && answering < mine:
		return false
	}
	line := w.src.line(at.start)
	return !ownLog.Get().MatchString(w.src.text[line.start:min(line.end, at.end)])
}

// nearest returns the distances to the nearest marks of Microsoft, of another
// known one, and of a host that answers, -1 for none. What is on another
// line counts as farther.
func (w *speakers) nearest(at region) (mine, known, answering int) {
	mine, known, answering = -1, -1, -1
	nearer := func(best *int, d int) {
		if *best < 0 || d < *best {
			*best = d
		}
	}
	line := w.src.line(at.start)
	for _, m := range w.marks {
		d := at.distance(region{m.start, m.end})
		if m.start < line.start || m.start > max(line.end, at.end) {
			d += 200
		}
		switch {
		case m.microsoft:
			nearer(&mine, d)
		case m.foreign:
			nearer(&known, d)
		case m.answering:
			nearer(&answering, d)
		}
	}
	return mine, known, answering
}

// namesMicrosoftHost reports whether the failure of a connection at this place
// is one to Microsoft's: a host of Microsoft's on the same line says so, else
// the nearest host decides, and where no host and no private address is named,
// words such as "Office 365".
func (w *speakers) namesMicrosoftHost(at region) bool {
	line := w.src.line(at.start)
	best, mine := -1, false
	for _, h := range w.hosts {
		d := at.distance(region{h.start, h.end})
		if h.start < line.start || h.start > line.end {
			d += 1000
		} else if h.microsoft {
			return true
		}
		nearer := best < 0 || d < best
		asNear := d == best && h.microsoft
		if nearer || asNear {
			best, mine = d, h.microsoft
		}
	}
	if best >= 0 {
		return mine
	}
	return !privateAddress.Get().MatchString(w.src.text[line.start:line.end]) && w.microsofts(at, true)
}

// onPremises reports whether an Exchange server that is not Microsoft's own
// speaks before this place. It words a refused sign-in as Exchange Online does,
// and for other reasons.
func (w *speakers) onPremises(at region) bool {
	for _, h := range w.hosts {
		if h.microsoft {
			return false
		}
	}
	if !slices.ContainsFunc(ownExchangeWords, func(word string) bool { return strings.Contains(w.src.text, word) }) {
		return false
	}
	return ownExchange.Get().MatchString(w.src.around(at, 4000, 400))
}

// What Exchange Online does not offer, and the words to look for first.
var (
	ownExchange      = lazyregexp.New(`AUTH[ =][^\n]{0,40}\b(?:NTLM|GSSAPI)\b|X-EXPS|X-ANONYMOUSTLS|XEXCH50|220[- ][^\n]{1,80} ` + exchange.Banner)
	ownExchangeWords = []string{"NTLM", "GSSAPI", "X-EXPS", "X-ANONYMOUSTLS", "XEXCH50", exchange.Banner}
)

var privateAddress = lazyregexp.New(`\b(?:10\.\d+|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d+\.\d+\b`)

// dialsPrivate reports whether the line says that a private address was dialled,
// whatever other host it names.
func (w *speakers) dialsPrivate(at region) bool {
	line := w.src.line(at.start)
	return privateTarget.Get().MatchString(w.src.text[line.start:line.end])
}

var privateTarget = lazyregexp.New(`(?i)(?:dial tcp|ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|connect to|connecting to|trying) \[?(?:10\.\d+|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d+\.\d+\b`)

// inspected reports whether a product that opens TLS is named near the place, or an
// authority made for it as the issuer.
func (w *speakers) inspected(at region) bool {
	near := w.src.around(at, 1000, 1000)
	if m := issuedBy.Get().FindStringSubmatch(near); m != nil && exchange.Inspects(m[1]) {
		return true
	}
	return exchange.NamesInspector(near)
}

// issuedBy finds what diagnosis.IssuedBy says.
var issuedBy = lazyregexp.New(`\(issued by ([^)\n]{1,120})\)`)

// onLoopback reports whether the line, or the exception around it, names the machine itself, and whether
// the port, where one is named, is one of mail.
func (w *speakers) onLoopback(at region) (local, mailPort bool) {
	line := w.src.line(at.start)
	m := loopback.Get().FindStringSubmatch(w.src.text[line.start:line.end])
	if m == nil { // JavaMail names the host two lines before
		m = loopbackBefore.Get().FindStringSubmatch(w.src.text[max(0, line.start-120):line.start])
	}
	if m == nil {
		return false, false
	}
	return true, m[1] == "" || slices.Contains(mailPorts, m[1])
}

var (
	loopback       = lazyregexp.New(`(?i)(?:\b127\.0\.0\.1|::1\]?|\blocalhost)\b(?:(?::|, |,? port:? )(\d+))?`)
	loopbackBefore = lazyregexp.New(`(?i)host: (?:127\.0\.0\.1|localhost), port: (\d+)[^\n]*\n\s*nested exception is:\s*$`)
	mailPorts      = []string{"25", "465", "587", "1025", "1587", "2525", "2587", "8025"}
)

// spokenByMicrosoft reports whether the line itself bears a sign of an Exchange
// server, as needed to call a reply Exchange's that the catalogue lacks.
func (w *speakers) spokenByMicrosoft(at int) bool {
	line := w.src.line(at)
	l := w.src.text[line.start:line.end]
	return exchangesOwn.Get().MatchString(l) || bracketed.Get().MatchString(l)
}

var bracketed = lazyregexp.New(`(?i)\[[^\]]*\.(?:prod|protection)\.(?:outlook|exchangelabs)\.com|\bHostname=\w+\.\w+\.prod\.`)

// lineNamesMicrosoft reports whether a host of Microsoft's is named on the line.
func (w *speakers) lineNamesMicrosoft(at int) bool {
	line := w.src.line(at)
	return slices.ContainsFunc(w.hosts, func(h mark) bool { return h.microsoft && h.start >= line.start && h.end <= line.end })
}

package credential

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// stems are what the names of credentials are made of. What is strict names many
// other things too: its value must look like a token.
var stems = []struct {
	word   string
	strict bool
}{
	{"password", false}, {"passwd", false}, {"passwort", false}, {"kennwort", false}, {"passphrase", false}, {"pwd", false}, {"pass", false},
	{"secret", false}, {"assertion", true}, {"apikey", false}, {"api_key", false}, {"api-key", false}, {"api key", false}, {"accesskey", false}, {"access_key", false},
	{"access-key", false}, {"accountkey", false}, {"account_key", false}, {"private_key", false}, {"privatekey", false}, {"contrase\xc3\xb1a", false},
	{"senha", false}, {"mot de passe", false}, {"wachtwoord", false},
	{"token", true}, {"credential", true}, {"authorization", true}, {"cookie", true}, {"code", true}, {"sig", true}, {"signature", true}, {"nonce", true}, {"key", true},
}

// endings are what a name may have behind its stem: PasswordText, SECRET_VALUE,
// password2. Others, as in passwordeval and tokenization, name something else.
var endings = lazyregexp.New(`^(?:[-_]?(?:text|value|val|plain|plaintext|string|str|raw|secure|b64|base64|credential|s|\d{1,2}))*$`)

// keys finds values of names: name=value, "name": "value", <name>value</name>,
// --name value, {"name": "NAME", "value": "x"} and what else there is.
func (s *scan) keys() {
	for _, stem := range stems {
		s.every(stem.word, func(at int) int { return s.key(at, at+len(stem.word), stem.word, stem.strict) })
	}
}

func ofName(c byte) bool { return alnum(c) || c == '_' || c == '-' }

// key looks for the value of the name of which the stem stands at start to end.
// It returns where to go on.
func (s *scan) key(start, end int, stem string, strict bool) int {
	if stem == "pass" && (s.goesOnAsWord(end) || !s.beginsPart(start)) || len(stem) < 5 && strict && !s.beginsPart(start) {
		return 0
	}
	name := s.run(end, ofName)
	if name-end > 32 || !endings().MatchString(s.low[end:name]) {
		return 0
	}
	begin := start
	for begin > 0 && start-begin < 64 && (ofName(s.text[begin-1]) || s.text[begin-1] == '.') {
		begin--
	}
	v, ok := s.behind(begin, name)
	if !ok {
		return 0
	}
	v.strict, v.word = strict, stem == "pass"
	return s.take(v)
}

// goesOnAsWord reports that "pass" is the beginning of another word.
func (s *scan) goesOnAsWord(end int) bool {
	return end < len(s.text) && (s.text[end] >= 'a' && s.text[end] <= 'z')
}

// beginsPart reports whether a part of a name begins at start: a word, or an
// inner one as in smtpPass, SMTP_PASS and mailpass.
func (s *scan) beginsPart(start int) bool {
	if start == 0 || !alnum(s.text[start-1]) || digits(s.text[start-1:start]) == 1 {
		return true
	}
	if before, here := s.text[start-1], s.text[start]; before >= 'a' && before <= 'z' && here >= 'A' && here <= 'Z' {
		return true
	}
	for _, of := range []string{"smtp", "mail", "user", "auth", "sasl", "db", "access", "refresh", "id", "client", "login", "bearer"} {
		if strings.HasSuffix(s.low[max(0, start-8):start], of) {
			return true
		}
	}
	return false
}

// place is where a value begins, and what is known of it.
type place struct {
	at      int
	name    int  // where its name begins
	assign  bool // an operator stands between; else nothing but blanks
	lines   bool // it may stand in the next line
	strict  bool
	colon   bool // the operator is a colon, as in a sentence
	word    bool // its name is a word of many sentences
	element bool // it is the content of an XML element
}

var (
	// nameValue is what stands between a name that is a value itself and its
	// value: {"name": "NAME", "value": ..., <add key="NAME" value=..., YAML.
	nameValue = lazyregexp.New(`^["'\\]*(?:\s*,\s*|\s+)["'\\]*(?:default_?)?value["'\\]*\s*[:=]\s*`)
	// valueLine begins the next line of YAML, and formHeader one of a part of
	// multipart/form-data.
	valueLine  = lazyregexp.New(`^["'\\ \t-]*(?:default_?)?value["'\\]*[ \t]*[:=][ \t]*`)
	formHeader = lazyregexp.New(`^[a-z-]{4,40}:`)
	// closing is what may stand between a name and its operator.
	closing  = lazyregexp.New(`^(?:\\*["'\x60\])}]|&quot;|&#34;|&#39;|%22|%27|%5d){0,4}`)
	operator = lazyregexp.New(`^[ \t]*(?:=>|:=|==|->|=|:|\||%3d|%3a|&#61;|=3d)[ \t]*`)
	element  = lazyregexp.New(`^(?:[ \t][^<>\n]{0,200})?(?:>|&gt;)(?:<!\[cdata\[)?`)
	// blanks are all that stands between, or the verb of a sentence.
	blanks = lazyregexp.New(`^[ \t]+(?:(?:is|was|ist|est|es)[ \t:]+)?`)
	comma  = lazyregexp.New(`^[ \t]*,[ \t]*`)
	// kind is a type that a dump of variables puts before a value.
	kind = lazyregexp.New(`^(?:string ?\(\d+\) |\(string\) ?|str ?|[bruf@$]{1,2})(["'])`)
)

// behind finds the value of the name that ends at end.
func (s *scan) behind(begin, end int) (place, bool) {
	v := place{name: begin}
	near := part(s.low, end, 600)
	if n := len(nameValue().FindString(near)); n > 0 {
		v.at, v.assign = end+n, true
		return v, true
	}
	if at, ok := s.below(begin, end); ok {
		v.at, v.assign = at, true
		return v, true
	}
	closed := len(closing().FindString(near))
	near = near[closed:]
	at := end + closed
	opened := begin > 0 && (s.text[begin-1] == '<' || strings.HasSuffix(s.text[max(0, begin-4):begin], "&lt;"))
	switch n := len(operator().FindString(near)); {
	case n > 0 && !strings.HasPrefix(near[n:], "//"):
		v.assign = true
		v.colon = strings.HasPrefix(strings.TrimLeft(near, " \t"), ":") && closed == 0
		op := strings.TrimSpace(near[:n])
		at += n
		v.lines = op == "=>" || op == ":" && strings.IndexByte("|>", (near + " ")[n]) >= 0
	case opened && element().MatchString(near):
		v.assign, v.element = true, true
		at += len(element().FindString(near))
	case closed > 0 && comma().MatchString(near):
		v.assign = true
		at += len(comma().FindString(near))
	default:
		n := len(blanks().FindString(near))
		if n == 0 {
			return v, false
		}
		at += n
	}
	if v.lines {
		for at < len(s.text) && strings.IndexByte(" \t\r\n|>", s.text[at]) >= 0 {
			if at++; s.text[at-1] == '\n' {
				at += lead(part(s.text, at, 200))
			}
		}
	}
	if m := kind().FindStringSubmatch(part(s.low, at, 24)); m != nil {
		at += len(m[0]) - len(m[1])
	}
	v.at = at
	return v, at < len(s.text)
}

// below finds the value of a name that is a value itself in the lines below:
// that of YAML's "value:", and that of a part of multipart/form-data.
func (s *scan) below(begin, end int) (int, bool) {
	form := begin > 0 && s.text[begin-1] == '"'
	at := end + strings.IndexByte(part(s.text, end, 200), '\n')
	if at < end || strings.Trim(s.text[end:at], "\"' \r") != "" && !strings.HasPrefix(s.text[end:at], `";`) {
		return 0, false
	}
	for lines := 0; lines < 6 && at < len(s.text); lines++ {
		start := at + 1
		if at = start + strings.IndexByte(part(s.text, start, maxLine), '\n'); at < start {
			at = min(len(s.text), start+maxLine)
		}
		start += lead(s.text[start:at])
		line := strings.TrimRight(s.low[start:max(start, at)], " \r")
		switch m := valueLine().FindString(line); {
		case m != "":
			return start + len(m), true
		case !form:
			return 0, false
		case line == "": // the end of the header: the value follows
			start = at + 1
			return start + lead(part(s.text, start, 200)), start < len(s.text)
		case !formHeader().MatchString(line):
			return 0, false
		}
	}
	return 0, false
}

package diagnosis

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// The catalogue is kept as text that an administrator can read and correct. Each
// file is a list of blocks. A block begins with "== CODE" or "== fix NAME"; its
// lines are "key: value", and a line that begins with a blank continues the one
// before. A line that begins with "#" is a remark.
//
//	class:   transient, throttled, permanent, configuration or blocked
//	stage:   where it is met, the usual place first
//	title:   under 80 octets
//	cause:   one or two sentences
//	match:   one way to recognise it; several lines are alternatives (see rule.go)
//	sample:  real text; a further sample line is a variant, "\n" a line end
//	nosample: why there is none
//	token:   HTTP status, error, AADSTS number, as the endpoint sends them
//	fault:   the Fault that it stands for
//	server:  yes when a server can cause it
//	fix:     a sentence, or @NAME for a block of that name
//	run:     a command of the fix above
//	who:     who can do the fix above
//	when:    CONDITION @NAME...: with this condition these fixes come first
//	client:  what smtpsend does about it
//	read:    a URL
//	search:  a string that people search for
//	sure:    documented, seen, second-hand or unproven
//
// What the readers of a failure have to know of an entry beside its words is said by
// these, so that no Go code knows an entry by its code:
//
//	otherwise: the kind of failure that it is the entry of last resort for (see lastResorts)
//	noreason:  a reply, such as "535 5.7.3", that gives no reason; a token's claims may tell it
//	holds:     sender or message, when not all mail of the mailbox has to wait (see Scope)
//	clock:     yes when a wrong clock can cause it
//	presented: yes when what the client presented as its proof is shown beside it, after when
//	           the command that makes Entra ID know it comes after the first fix
//	after:     the stage of whose failure it is a consequence, which is then named first
//
// and of pasted text:
//
//	vague:     yes when any other failure of the network says more
//	local:     the code that it is when the program called its own machine
//	inspected: the code that it is when something that opens TLS is named beside it
//	online:    only, when another Exchange server than Microsoft's own says the same for
//	           other reasons; such a text is not this
//
//go:embed catalogue/*.txt
var catalogueFiles embed.FS

type catalogue struct {
	entries   []Entry
	byCode    map[string]int
	numbers   map[int]bool          // AADSTS numbers that a rule names
	otherwise map[lastResort]string // codes of last resort
}

// fixOrder moves the named fixes to the front when the condition holds.
type fixOrder struct {
	condition string
	fixes     []string // texts of the fixes
}

// loadCatalogue panics on a mistake in the files: they are part of the program,
// and a test reads them all.
func loadCatalogue() *catalogue {
	c, err := parseCatalogue(catalogueFiles)
	if err != nil {
		panic("diagnosis: reading the catalogue: " + err.Error())
	}
	return c
}

func parseCatalogue(files fs.FS) (*catalogue, error) {
	names, err := fs.Glob(files, "catalogue/*.txt")
	if err != nil {
		return nil, fmt.Errorf("listing: %w", err)
	}
	var blocks []block
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("reading: %w", err)
		}
		more, err := splitBlocks(name, string(data))
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, more...)
	}
	return assemble(blocks)
}

func assemble(blocks []block) (*catalogue, error) {
	fixes := map[string]Fix{}
	for _, b := range blocks {
		if name, ok := strings.CutPrefix(b.name, "fix "); ok {
			e, err := b.entry(nil)
			if err != nil {
				return nil, err
			}
			if len(e.Fixes) != 1 || fixes[name].Text != "" {
				return nil, fmt.Errorf("%s: fix %q is double or not one fix", b.where, name)
			}
			fixes[name] = e.Fixes[0]
		}
	}
	c := &catalogue{byCode: map[string]int{}, numbers: map[int]bool{}, otherwise: map[lastResort]string{}}
	for _, b := range blocks {
		if strings.HasPrefix(b.name, "fix ") {
			continue
		}
		e, err := b.entry(fixes)
		if err != nil {
			return nil, err
		}
		if err := c.add(e); err != nil {
			return nil, fmt.Errorf("%s: %w", b.where, err)
		}
	}
	return c, c.check()
}

func (c *catalogue) add(e Entry) error {
	if _, double := c.byCode[e.Code]; double {
		return fmt.Errorf("code %q is double", e.Code)
	}
	c.byCode[e.Code] = len(c.entries)
	c.entries = append(c.entries, e)
	for _, r := range e.Rules {
		c.numbers[r.AADSTS] = true
	}
	if e.otherwise == "" {
		return nil
	}
	if other, double := c.otherwise[e.otherwise]; double {
		return fmt.Errorf("%q and %q are both for %s", other, e.Code, e.otherwise)
	}
	c.otherwise[e.otherwise] = e.Code
	return nil
}

// check reports codes that an entry names and that do not exist, and a kind of failure
// without an entry of last resort.
func (c *catalogue) check() error {
	for _, e := range c.entries {
		for _, code := range []string{e.Local, e.Inspected} {
			if _, known := c.byCode[code]; !known && code != "" {
				return fmt.Errorf("%s: code %q is not known", e.Code, code)
			}
		}
	}
	for _, kind := range lastResorts {
		if c.otherwise[kind] == "" {
			return fmt.Errorf("no entry of last resort for %s", kind)
		}
	}
	return nil
}

type block struct {
	name, where string
	lines       []field
}

type field struct{ key, value, where string }

var fieldLine = lazyregexp.New(`^([a-z]+):[ \t]*(.*)$`)

func splitBlocks(file, text string) ([]block, error) {
	var blocks []block
	for i, line := range strings.Split(text, "\n") {
		where := fmt.Sprintf("%s:%d", file, i+1)
		switch name, isBlock := strings.CutPrefix(line, "== "); {
		case isBlock:
			blocks = append(blocks, block{name: strings.TrimSpace(name), where: where})
			continue
		case strings.TrimSpace(line) == "", strings.HasPrefix(line, "#"):
			continue
		case len(blocks) == 0:
			return nil, fmt.Errorf("%s: line before the first block", where)
		}
		b := &blocks[len(blocks)-1]
		if m := fieldLine.Get().FindStringSubmatch(line); m != nil {
			b.lines = append(b.lines, field{m[1], m[2], where})
			continue
		}
		if line[0] != ' ' || len(b.lines) == 0 {
			return nil, fmt.Errorf("%s: neither a field nor its continuation", where)
		}
		last := &b.lines[len(b.lines)-1]
		last.value += " " + strings.TrimSpace(line)
	}
	return blocks, nil
}

func (b block) entry(fixes map[string]Fix) (Entry, error) {
	e := Entry{Code: b.name}
	for _, f := range b.lines {
		if err := e.set(f, fixes); err != nil {
			return Entry{}, fmt.Errorf("%s: %w", f.where, err)
		}
	}
	return e, nil
}

func (e *Entry) set(f field, fixes map[string]Fix) error {
	switch f.key {
	case "class":
		e.Class = Class(f.value)
	case "stage":
		for _, s := range strings.Fields(f.value) {
			e.Stages = append(e.Stages, smtp.Stage(s))
		}
	case "title":
		e.Title = f.value
	case "cause":
		e.Cause = f.value
	case "match":
		r, err := parseRule(f.value)
		if err != nil {
			return err
		}
		e.Rules = append(e.Rules, r)
	case "nosample":
		e.NoSample = f.value
	case "fault":
		e.Fault = smtp.Fault(f.value)
	case "server":
		e.ServerCan = f.value == "yes"
	case "vague":
		e.Vague = f.value == "yes"
	case "holds":
		e.Holds = Scope(f.value)
	case "clock":
		e.Clock = f.value == "yes"
	case "presented":
		e.Presented, e.MatchSecond = f.value == "yes" || f.value == "after", f.value == "after"
	case "online":
		e.OnlineOnly = f.value == "only"
	case "after":
		e.After = smtp.Stage(f.value)
	case "local":
		e.Local = f.value
	case "inspected":
		e.Inspected = f.value
	case "client":
		e.ClientDoes = f.value
	case "read":
		e.ReadOn = append(e.ReadOn, f.value)
	case "search":
		e.Search = append(e.Search, f.value)
	case "sure":
		e.Sure = Sure(f.value)
	case "sample", "token":
		return e.setSample(f)
	case "otherwise", "noreason":
		return e.setReply(f)
	case "fix", "run", "who", "when":
		return e.setFix(f, fixes)
	default:
		return fmt.Errorf("key %q is not known", f.key)
	}
	return nil
}

func (e *Entry) setSample(f field) error {
	if f.key == "sample" {
		text := strings.ReplaceAll(f.value, `\n`, "\n")
		if e.Sample == "" {
			e.Sample = text
		} else {
			e.Variants = append(e.Variants, text)
		}
		return nil
	}
	parts := strings.Fields(f.value)
	if len(parts) != 3 {
		return fmt.Errorf("token %q: want status, error and number", f.value)
	}
	status, err := strconv.Atoi(parts[0])
	if err != nil {
		return fmt.Errorf("reading the HTTP status: %w", err)
	}
	number, err := strconv.Atoi(parts[2])
	if err != nil {
		return fmt.Errorf("reading the AADSTS number: %w", err)
	}
	e.Token = &TokenSample{HTTPStatus: status, Error: strings.Trim(parts[1], "-"), AADSTS: number}
	return nil
}

// setReply sets which replies an entry is for without having a rule for them.
func (e *Entry) setReply(f field) error {
	if f.key == "otherwise" {
		e.otherwise = lastResort(f.value)
		if !slices.Contains(lastResorts, e.otherwise) {
			return fmt.Errorf("kind of failure %q is not known", f.value)
		}
		return nil
	}
	code, enhanced, _ := strings.Cut(f.value, " ")
	if !codeShape.Get().MatchString(code) || !enhancedShape.Get().MatchString(enhanced) {
		return fmt.Errorf("noreason %q: want a reply code and an enhanced status code", f.value)
	}
	n, err := strconv.Atoi(code)
	e.noReason = &Symptom{Code: n, Enhanced: enhanced}
	return err
}

func (e *Entry) setFix(f field, fixes map[string]Fix) error {
	switch f.key {
	case "fix":
		fix := Fix{Text: f.value}
		if name, ok := strings.CutPrefix(f.value, "@"); ok {
			if fix, ok = fixes[name]; !ok {
				return fmt.Errorf("fix %q is not known", name)
			}
			fix.Commands = slices.Clone(fix.Commands)
		}
		e.Fixes = append(e.Fixes, fix)
		return nil
	case "when":
		return e.setOrder(strings.Fields(f.value), fixes)
	}
	if len(e.Fixes) == 0 {
		return fmt.Errorf("%s before the first fix", f.key)
	}
	last := &e.Fixes[len(e.Fixes)-1]
	if f.key == "who" {
		last.Who = f.value
	} else {
		last.Commands = append(last.Commands, f.value)
	}
	return nil
}

func (e *Entry) setOrder(words []string, fixes map[string]Fix) error {
	if len(words) < 2 {
		return fmt.Errorf("when %q: want a condition and fixes", words)
	}
	if !slices.Contains(conditions, words[0]) {
		return fmt.Errorf("condition %q is not known", words[0])
	}
	o := fixOrder{condition: words[0]}
	for _, w := range words[1:] {
		fix, ok := fixes[strings.TrimPrefix(w, "@")]
		if !ok {
			return fmt.Errorf("fix %q is not known", w)
		}
		o.fixes = append(o.fixes, fix.Text)
	}
	e.orders = append(e.orders, o)
	return nil
}

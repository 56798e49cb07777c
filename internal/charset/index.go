package charset

import (
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// errNoLabel is the error of Get, and errNoName that of Name.
var (
	errNoLabel = errors.New("no charset has this name")
	errNoName  = errors.New("this charset has no name on the web")
)

// named is an encoding with its names. The tables of them are data of the program: at
// the start of a process nothing is made of them.
type named struct {
	canonical string // on the web
	names     string // in lower case, a blank before and after each
	encoding  func() encoding.Encoding
}

// Get returns the encoding that browsers read a label as (WHATWG Encoding Standard
// 4.2), in any case. It is what htmlindex.Get of x/text returns, whose tables, and
// those of ianaindex, take some 350,000 instructions at the start of each process.
func Get(label string) (encoding.Encoding, error) {
	if enc := find(webNames[:], label); enc != nil {
		return enc, nil
	}
	return nil, errNoLabel
}

// Name returns the name of an encoding on the web, as htmlindex.Name does.
func Name(e encoding.Encoding) (string, error) {
	for _, n := range webNames {
		if n.encoding() == e {
			return n.canonical, nil
		}
	}
	return "", errNoName
}

// Registered returns the encoding of a name in IANA's registry of character sets, in
// any case, and nil for one that is not there or that x/text does not read.
func Registered(name string) encoding.Encoding { return find(registeredNames[:], name) }

// find is the encoding of a name, nil when there is none.
func find(table []named, name string) encoding.Encoding {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "" || strings.Contains(name, " ") {
		return nil
	}
	for _, n := range table {
		if strings.Contains(n.names, " "+name+" ") {
			return n.encoding()
		}
	}
	return nil
}

// usASCII is the encoding US-ASCII (RFC 20): octets above 127 are none of its characters.
type usASCII struct{ transform.NopResetter }

func (u usASCII) NewDecoder() *encoding.Decoder { return &encoding.Decoder{Transformer: u} }

func (usASCII) NewEncoder() *encoding.Encoder { return encoding.Nop.NewEncoder() }

// Transform decodes.
func (usASCII) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	for _, c := range src {
		r := rune(c)
		if c >= utf8.RuneSelf {
			r = utf8.RuneError
		}
		if nDst+utf8.RuneLen(r) > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += utf8.EncodeRune(dst[nDst:], r)
		nSrc++
	}
	return nDst, nSrc, nil
}

package charset

import (
	"slices"

	"golang.org/x/text/encoding"
)

// OfMail finds a charset as mail names it (RFC 2045 5.1): by IANA's names, then by those
// of the web. It is nil for a name that is not known. Here, and in IsASCII and IsUTF8,
// name is in lower case and has no blanks around it.
func OfMail(name string) encoding.Encoding {
	if enc := Registered(name); enc != nil {
		return enc
	}
	if enc, err := Get(name); err == nil {
		return enc
	}
	return nil
}

// IsASCII reports a name of US-ASCII (IANA's registry of character sets). No name is one
// too (RFC 2045 5.2).
func IsASCII(name string) bool { return slices.Contains(asciiNames, name) }

// asciiNames are US-ASCII. cron writes the first in the C locale, whatever the job's
// output is in.
var asciiNames = []string{"ansi_x3.4-1968", "us-ascii", "ascii", "ansi_x3.4-1986", "iso_646.irv:1991", "iso646-us", "iso-ir-6", "us", "ibm367", "cp367", "csascii", "646", ""}

// IsUTF8 reports a name of UTF-8.
func IsUTF8(name string) bool {
	return name == "utf-8" || name == "utf8" || name == "unicode-1-1-utf-8"
}

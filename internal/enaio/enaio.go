// Package enaio turns the mail settings of an enaio installation into an env
// file: the webclient's osweb-prod.yml, an export of the server's registry
// (.reg), or a Java properties file.
//
// A file is read in two steps. A reader per format finds pairs of key and text;
// then the pairs whose key is enaio's name for one of our settings are carried
// over with their meaning, and checked as config.Load would check them. Keys
// that are enaio's but mean nothing here are reported; so is what is beside
// them.
//
// A file holds a secret: no problem and no error quotes a value.
package enaio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/envfile"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/setting"
	"github.com/smtpsend/smtpsend/internal/until"
)

// ErrTooLarge says that a file exceeds limits.Import.
var ErrTooLarge = fmt.Errorf("is larger than %d MiB", limits.Import>>20)

// ErrNothing says that a file does not contain a mail setting of enaio.
var ErrNothing = errors.New("does not contain a mail setting of enaio")

// Format is the kind of a file.
type Format string

// The formats that Import reads.
const (
	FormatYAML       Format = "YAML"
	FormatRegistry   Format = "registry export"
	FormatProperties Format = "properties"
)

// Imported is what a file holds for us.
type Imported struct {
	Format   Format
	Problems []config.Problem // all are warnings; Variable is the file's key or our variable
	name     string
	values   map[string]secret.String // by the setting's name
	// encrypted are the settings that the file has, and that only enaio can read.
	encrypted map[string]bool
}

// Import reads data, the content of a file called name. The format is known by
// the content, and by name's extension where that leaves a doubt. The error
// wraps ErrTooLarge, ErrNothing, *SyntaxError or charset.ErrEncoding; it is the
// cause of ctx, with which importing ends.
func Import(ctx context.Context, name string, data []byte) (Imported, error) {
	return until.Do(ctx, func() (Imported, error) { return importData(ctx, name, data) })
}

func importData(ctx context.Context, name string, data []byte) (Imported, error) {
	in := Imported{name: filepath.Base(name), values: map[string]secret.String{}, encrypted: map[string]bool{}}
	if len(data) > limits.Import {
		return in, fmt.Errorf("importing: %w", ErrTooLarge)
	}
	text, err := decode(data)
	if err != nil {
		return in, fmt.Errorf("importing: %w", err)
	}
	in.Format = formatOf(name, text)
	var pairs []pair
	switch in.Format {
	case FormatRegistry:
		pairs, err = readRegistry(text)
	case FormatYAML:
		pairs, err = readYAML(text)
	default:
		pairs, err = readProperties(text)
	}
	if err != nil {
		return in, fmt.Errorf("importing %s: %w", in.Format, err)
	}
	in.take(pairs)
	if len(in.values)+len(in.encrypted) == 0 {
		return in, fmt.Errorf("importing %s: %w", in.Format, ErrNothing)
	}
	in.check(ctx)
	return in, nil
}

// decode reads what carries no mark and is not UTF-8 as ISO 8859-1: properties
// files were that before Java 9, and REGEDIT4 exports are close to it.
func decode(data []byte) (string, error) {
	text, err := charset.Strict(data)
	if err == nil || bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return text, err
	}
	runes := make([]rune, len(data))
	for i, b := range data {
		runes[i] = rune(b)
	}
	return string(runes), nil
}

func formatOf(name, text string) Format {
	first, _, _ := strings.Cut(strings.TrimLeft(text, " \t\r\n"), "\n")
	switch first = strings.TrimSpace(first); {
	case first == "REGEDIT4" || strings.HasPrefix(first, "Windows Registry Editor"):
		return FormatRegistry
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".reg":
		return FormatRegistry
	case ".yml", ".yaml":
		return FormatYAML
	case ".properties":
		return FormatProperties
	}
	if pairs, err := readYAML(text); err == nil && len(pairs) > 0 {
		return FormatYAML
	}
	return FormatProperties
}

// Value returns what was found for a setting, by its name without prefix.
func (in Imported) Value(setting string) secret.String { return in.values[setting] }

// EnvFile returns an env file with what was found, secrets in the clear, in the
// order of the table of settings. What is encrypted is empty, with a comment.
func (in Imported) EnvFile() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Imported from %q (%s).\n", in.name, in.Format)
	for _, s := range setting.All() {
		value := in.values[s.Name]
		switch {
		case value.IsZero() && in.encrypted[s.Name]:
			what, _, _ := strings.Cut(s.Comment, ". ")
			fmt.Fprintf(&b, "# Encrypted in that file, so that only enaio can read it. Enter it here: %s\n%s=\n", strings.TrimSuffix(what, "."), s.Variable())
			continue
		case value.IsZero():
			continue
		}
		// take has let in only what a line can hold.
		line, _ := envfile.Format(s.Variable(), value.Reveal())
		b.WriteString(line + "\n")
	}
	return b.String()
}

// warn notes a problem.
func (in *Imported) warn(variable, text string) {
	in.Problems = append(in.Problems, config.Problem{Variable: variable, Text: text, Severity: config.SeverityWarning})
}

// SyntaxError is a place in a file that cannot be read. It does not quote it.
type SyntaxError struct {
	Line   int // from 1; 0 when it is not known
	Reason string
}

// Error gives line and reason.
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Reason
	}
	return fmt.Sprintf("line %d %s", e.Line, e.Reason)
}

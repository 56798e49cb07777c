package stdio

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/smtpsend/smtpsend/internal/printable"
)

// SchemaVersion is the version of every JSON object that smtpsend prints. It grows
// when a member changes its meaning or goes; new members do not count.
const SchemaVersion = 1

// Object is what Printer.JSON prints: a struct that embeds Schema as its first field.
type Object interface{ schema() }

// Schema is the schema_version of an object. Its zero value is SchemaVersion, so that
// no constructor can forget it.
type Schema struct {
	SchemaVersion schemaVersion `json:"schema_version"`
}

func (Schema) schema() {}

type schemaVersion struct{}

// MarshalJSON is SchemaVersion.
func (schemaVersion) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, SchemaVersion, 10), nil
}

// JSON writes an object to standard output, in which nothing steers a terminal.
func (p *Printer) JSON(object Object) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false) // people read it too: addresses and placeholders are in <>
	if err := e.Encode(object); err != nil {
		p.Errorf("encoding JSON: %v", err)
		return
	}
	_, _ = results{p}.Write([]byte(printable.JSON(b.String())))
}

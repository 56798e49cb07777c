package stdio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/smtpsend/smtpsend/internal/printable"
)

// SchemaVersion is the version of every JSON object that smtpsend prints. It grows
// when a member changes its meaning or goes; new members do not count.
const SchemaVersion = 1

// JSON writes an object with the schema version in front.
func (p *Printer) JSON(object any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false) // people read it too: addresses and placeholders are in <>
	if err := e.Encode(object); err != nil {
		p.Errorf("encoding JSON: %v", err)
		return
	}
	body := bytes.TrimSpace(b.Bytes())
	head := fmt.Sprintf("{\n  \"schema_version\": %d", SchemaVersion)
	if len(body) > 2 {
		head += ","
	}
	_, _ = io.WriteString(results{p}, head+printable.JSON(string(body[1:]))+"\n")
}

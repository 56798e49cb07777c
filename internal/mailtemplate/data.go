package mailtemplate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// maxData bounds the data file of a template.
const maxData = 16 << 20

// ParseData reads the data of a template: one JSON or YAML mapping, told apart
// by the extension of name (.json), else by its first character. Empty data is
// an empty map. The error is *message.FieldError.
func ParseData(name string, source []byte) (map[string]any, error) {
	data := map[string]any{}
	if len(source) > maxData {
		return nil, refused("data "+name, "", fmt.Sprintf("more than %d octets", maxData))
	}
	text := []byte(strings.TrimSpace(mimetext.ToUTF8(string(source))))
	var err error
	if strings.HasSuffix(strings.ToLower(name), ".json") || bytes.HasPrefix(text, []byte("{")) {
		err = parseJSON(text, &data)
	} else {
		err = yaml.Unmarshal(text, &data)
	}
	if err != nil {
		return nil, refused("data "+name, "", dataReason(text, err))
	}
	return data, nil
}

// dataReason says what is wrong in the words of who wrote the file.
func dataReason(text []byte, err error) string {
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return notMapping
	}
	if kind, ok := errors.AsType[*yaml.TypeError](err); ok && strings.Contains(kind.Errors[0], "cannot unmarshal") {
		return notMapping // its other errors are of keys that stand twice
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("line %d: %v", 1+bytes.Count(text[:syntax.Offset], []byte("\n")), err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "ends too early: a quote or a bracket is not closed"
	}
	return oneLine(err)
}

const notMapping = `is no mapping of names to values, such as {"name": "Ada"}`

// parseJSON keeps numbers as they are written: a customer number of 17 digits
// must not become 1.2345e+16.
func parseJSON(text []byte, data *map[string]any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(data); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if dec.More() {
		return errors.New("more than one value")
	}
	return nil
}

// SetData sets one value from an assignment as on the command line, "key=value"
// or "outer.inner=value". Values are text. The error is *message.FieldError.
func SetData(data map[string]any, assignment string) error {
	path, value, ok := strings.Cut(assignment, "=")
	if !ok || path == "" {
		return refused("--set", assignment, "must be key=value")
	}
	keys := strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		inner, ok := data[key].(map[string]any)
		if !ok {
			if data[key] != nil {
				return refused("--set", assignment, fmt.Sprintf("%s is a value, not a group of values", key))
			}
			inner = map[string]any{}
			data[key] = inner
		}
		data = inner
	}
	data[keys[len(keys)-1]] = value
	return nil
}

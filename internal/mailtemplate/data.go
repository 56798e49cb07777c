package mailtemplate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/smtpsend/smtpsend/internal/guard"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
	"github.com/smtpsend/smtpsend/internal/until"
)

// ParseData reads the data of a template: one JSON or YAML mapping, told apart
// by the extension of name (.json), else by its first character. Empty data is
// an empty map; groups of values are maps of the same type, lists []any. The error
// is *badinput.FieldError, and the cause of ctx, with which parsing ends.
func ParseData(ctx context.Context, name, source string) (map[string]any, error) {
	if len(source) > limits.Data {
		return nil, refused("data "+name, "", fmt.Sprintf("has more than %d octets", limits.Data))
	}
	text := strings.TrimSpace(mimetext.ToUTF8(source))
	data, err := until.Do(ctx, func() (map[string]any, error) {
		if strings.HasSuffix(strings.ToLower(name), ".json") || strings.HasPrefix(text, "{") {
			return parseJSON(text)
		}
		return parseYAML(text)
	})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, refused("data "+name, "", dataReason(text, err))
	}
	return data, nil
}

// dataReason says what is wrong in the words of those who wrote the file.
func dataReason(text string, err error) string {
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return notMapping
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("line %d: %v", 1+strings.Count(text[:syntax.Offset], "\n"), err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "ends too early: a quote or a bracket is not closed"
	}
	return oneLine(err)
}

const notMapping = `is not a mapping of names to values, such as {"name": "Ada"}`

// parseJSON keeps numbers as they are written: a customer number of 17 digits
// must not become 1.2345e+16.
func parseJSON(text string) (map[string]any, error) {
	values, depth := guard.JSON(text)
	if values > limits.DataValues {
		return nil, fmt.Errorf("has more than %d values", limits.DataValues)
	}
	if depth > limits.DataNesting {
		return nil, fmt.Errorf("is nested more than %d deep", limits.DataNesting)
	}
	data := map[string]any{}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&data); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if dec.More() {
		return nil, errors.New("more than one value")
	}
	if data == nil { // null
		data = map[string]any{}
	}
	return data, nil
}

// SetData sets one value from an assignment as on the command line, "key=value"
// or "outer.inner=value". Values are text. The error is *badinput.FieldError.
func SetData(data map[string]any, assignment string) error {
	path, value, ok := strings.Cut(assignment, "=")
	if !ok || path == "" {
		return refused("--set", assignment, "must be key=value")
	}
	keys := strings.Split(path, ".")
	if len(keys) > limits.DataNesting {
		return refused("--set", assignment, fmt.Sprintf("is nested more than %d deep", limits.DataNesting))
	}
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

package sandbox

import (
	"encoding/json"
	"io"
)

// DetailJSON is what the API shows of content.
func DetailJSON(content io.Reader) ([]byte, error) {
	return json.Marshal(readDetail(Message{}, content))
}

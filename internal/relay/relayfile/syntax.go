package relayfile

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"strconv"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/thirdparty/yaml"
)

// syntaxError is what the YAML library says, which has no type for it.
var syntaxError = lazyregexp.New(`^yaml: (?:line (\d+): )?(.*)`)

// syntax notes an error of the YAML library. The text is only shown.
func (r *reader) syntax(data []byte, err error) {
	parts := syntaxError.Get().FindStringSubmatch(err.Error())
	if parts == nil {
		parts = []string{"", "", err.Error()}
	}
	said, _ := strconv.Atoi(parts[1]) // 0: the library does not say which
	line := cmp.Or(brokenLine(data), said)
	r.problem(entry{line: line}, "", "is not YAML: "+parts[2]+"; look for tabs, indentation and missing quotes")
}

// searchedOctets is how much is read again to find a line. A file of an office is read
// some hundred times for it, a very large one not at all.
const searchedOctets = 1 << 20

// brokenLine is the first line with which a text that is not YAML cannot become YAML: the
// text before it is. The library often names the line where the list or the mapping
// begins. 0 stands for a text that is too large to look.
func brokenLine(data []byte) int {
	lines := bytes.SplitAfter(data, []byte("\n"))
	end, read := len(data), 0
	for n := len(lines); n > 0; n-- {
		end -= len(lines[n-1])
		if read += end; read > searchedOctets {
			return 0
		}
		if isYAML(data[:end]) {
			return n
		}
	}
	return 0
}

// isYAML reports a text of any number of documents.
func isYAML(data []byte) bool {
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var doc yaml.Node
		if err := dec.Decode(&doc); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

package relayfile

import _ "embed" // for the example

//go:embed example.yaml
var example string

// Example is a settings file with every key and a comment for each. Parse takes it
// without a warning.
func Example() string { return example }

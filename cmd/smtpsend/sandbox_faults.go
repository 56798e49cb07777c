package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/spelling"
)

// unknownFault is the error for a --fault, with the name that was perhaps meant.
func unknownFault(text string, err error) error {
	name, _, _ := strings.Cut(text, ",")
	if fault.About(name) != "" {
		var wrong *fault.Error
		if errors.As(err, &wrong) {
			err = errors.New(wrong.Reason) // the text is named already
		}
		return exit.Usagef("--fault %q: %v", text, err)
	}
	near := ""
	if n := spelling.Nearest(name, fault.Names()); n != "" {
		near = fmt.Sprintf("; the nearest is %s", n)
	}
	return exit.Usagef("--fault %q: no such name%s; smtpsend sandbox --list-faults lists all names", text, near)
}

package store

import (
	"fmt"
	"strconv"
	"strings"
)

// Where gathers the conditions of a WHERE clause, and the arguments of their
// placeholders: what comes from outside is always an argument. The zero value has no
// conditions.
type Where struct {
	Text []string
	Args []any
}

// Add appends a condition in which each "? " is the next argument.
func (w *Where) Add(text string, args ...any) {
	for _, a := range args {
		w.Args = append(w.Args, a)
		text = strings.Replace(text, "? ", fmt.Sprintf("?%d ", len(w.Args)), 1)
	}
	w.Text = append(w.Text, text)
}

// In appends that a column has one of the values.
func (w *Where) In(column string, values []any) {
	marks := make([]string, len(values))
	for i, v := range values {
		w.Args = append(w.Args, v)
		marks[i] = "?" + strconv.Itoa(len(w.Args))
	}
	w.Text = append(w.Text, column+" IN ("+strings.Join(marks, ",")+")")
}

// String is the clause: all conditions hold.
func (w *Where) String() string { return strings.Join(w.Text, " AND ") }

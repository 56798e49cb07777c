// Package lazy makes values when they are first used. A table or an expression that is
// a package variable is made at the start of every process otherwise, also of one that
// never looks at it.
package lazy

import "sync"

// Value is made at its first use. As a package variable, &Value[T]{Make: func() T {...}}
// is data of the program, and costs nothing at its start, which sync.OnceValue does. It
// is safe for concurrent use.
type Value[T any] struct {
	Make  func() T
	once  sync.Once
	value T
}

// Get calls Make at its first call, and returns the same value ever after.
func (v *Value[T]) Get() T {
	v.once.Do(v.make)
	return v.value
}

func (v *Value[T]) make() { v.value = v.Make() }

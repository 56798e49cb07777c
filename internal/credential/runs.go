package credential

// runLength is how many octets in a row two texts must share before it is more
// than chance.
const runLength = 8

// Runs is a set of runs of eight octets, ASCII letters of either case the same.
// The zero value is empty. It is safe for concurrent use while nobody adds.
type Runs struct {
	slots []uint64 // open addressing; 0 is free
	used  int
}

// NewRuns returns all runs of texts.
func NewRuns(texts ...string) *Runs {
	r := &Runs{}
	for _, text := range texts {
		r.add(text, nil)
	}
	return r
}

// add adds the runs of text, but those of known.
func (r *Runs) add(text string, known *Runs) {
	var key uint64
	for i := range len(text) {
		key = next(key, text[i])
		if i >= runLength-1 && !known.has(key) {
			r.put(key)
		}
	}
}

// next is the run that ends with c, given the one that ends before it. It is
// never that of the octets that put takes for free: they are capital letters.
func next(key uint64, c byte) uint64 {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return key<<8 | uint64(c)
}

const (
	free   = 0x5555555555555555 // "UUUUUUUU"
	spread = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio, for an even hash
)

func (r *Runs) put(key uint64) {
	if 2*r.used >= len(r.slots) {
		r.grow()
	}
	if at := r.find(key ^ free); r.slots[at] == 0 {
		r.slots[at] = key ^ free
		r.used++
	}
}

func (r *Runs) grow() {
	old := r.slots
	r.slots = make([]uint64, max(1024, 2*len(old)))
	for _, slot := range old {
		if slot != 0 {
			r.slots[r.find(slot)] = slot
		}
	}
}

// find is the place of a slot's value, or the free one where it belongs.
func (r *Runs) find(value uint64) int {
	mask := len(r.slots) - 1
	at := int(value*spread>>20) & mask
	for r.slots[at] != 0 && r.slots[at] != value {
		at = (at + 1) & mask
	}
	return at
}

// has is false for a nil r.
func (r *Runs) has(key uint64) bool {
	return r != nil && r.used > 0 && r.slots[r.find(key^free)] != 0
}

// Hold reports whether text has a run of the set.
func (r *Runs) Hold(text string) bool { return len(r.in(text, true)) > 0 }

// in returns the parts of text that consist of runs of the set, in order; the
// first alone when that is enough.
func (r *Runs) in(text string, one bool) []region {
	if r == nil || r.used == 0 {
		return nil
	}
	var out []region
	var key uint64
	for i := range len(text) {
		key = next(key, text[i])
		if i < runLength-1 || !r.has(key) {
			continue
		}
		start := i - runLength + 1
		if n := len(out); n > 0 && out[n-1].end >= start {
			out[n-1].end = i + 1
			continue
		}
		out = append(out, region{start: start, end: i + 1})
		if one {
			break
		}
	}
	return out
}

package outbox_test

import (
	"bufio"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A power cut is simulated: strace records every write and sync of a process
// that adds messages; then the files are built anew as a disk may hold them after
// a cut at some point, which is what was synced before, and of the rest nothing
// or a part. What the process had acknowledged by then must be there.

// diskOp is a call that changes a file, or a line that the process wrote.
type diskOp struct {
	kind   string // create, unlink, write, truncate, sync, ack
	name   string // base name of the file, "." for the directory
	offset int64
	data   []byte
	upTo   int // sync: it covers the calls before this one
}

// record runs produce under strace and returns what it did, up to the line in
// which it closes.
func record(t *testing.T, producers, messages int, level string) []diskOp {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err == nil { // a container may forbid it
		err = exec.Command(strace, "-qq", "-o", os.DevNull, "true").Run()
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("power cuts cannot be simulated without strace: %v", err)
		}
		t.Skip("strace is missing, or not allowed: power cuts are not simulated")
	}
	dir, log := filepath.Join(t.TempDir(), "outbox"), filepath.Join(t.TempDir(), "strace")
	cmd := exec.Command(strace, "-f", "-qq", "-y", "-xx", "-s", "2000000", "-o", log,
		"-e", "trace=open,openat,unlink,pwrite64,write,ftruncate,fsync,fdatasync", os.Args[0])
	cmd.Env = append(os.Environ(), strings.Join([]string{childVariable + "=produce", dir, strconv.Itoa(producers), strconv.Itoa(messages), level, "60"}, " "))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("strace: %v\n%.2000s", err, out)
	}
	return parseTrace(t, log, dir)
}

var (
	tracedCall = regexp.MustCompile(`^(\d+) +(\w+)\((.*)$`)
	tracedEnd  = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>`)
	tracedArg  = regexp.MustCompile(`^(?:(\d+)|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)>`)
	tracedText = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"`)
	tracedLast = regexp.MustCompile(`, (\d+)\)? +(?:=|<unfinished)`)
)

// unhex reads strace's way to write a string.
func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	if err != nil {
		t.Fatalf("trace: %v", err)
	}
	return string(b)
}

// parseTrace reads the calls that concern dir, and the lines on standard output.
func parseTrace(t *testing.T, log, dir string) (ops []diskOp) {
	t.Helper()
	f, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	waiting := make(map[string]diskOp) // syncs that have begun, by thread
	for lines.Scan() {
		line := lines.Text()
		if m := tracedEnd.FindStringSubmatch(line); m != nil {
			if op, ok := waiting[m[1]]; ok {
				ops = append(ops, op)
				delete(waiting, m[1])
			}
			continue
		}
		m := tracedCall.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		op, ok := parseCall(t, m[2], m[3], dir)
		if !ok {
			continue
		}
		op.upTo = len(ops)
		if op.kind == "sync" && strings.HasSuffix(line, "<unfinished ...>") {
			waiting[m[1]] = op
			continue
		}
		ops = append(ops, op)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return ops
}

func parseCall(t *testing.T, call, args, dir string) (op diskOp, ok bool) {
	if call == "open" || call == "openat" || call == "unlink" {
		text := tracedText.FindStringSubmatch(args)
		if text == nil || (call != "unlink" && !strings.Contains(args, "O_CREAT")) {
			return op, false
		}
		op.kind = map[bool]string{true: "unlink", false: "create"}[call == "unlink"]
		name := unhex(t, text[1])
		if at := tracedArg.FindStringSubmatch(args); at != nil && !filepath.IsAbs(name) {
			name = filepath.Join(unhex(t, at[2]), name)
		}
		op.name, ok = inside(dir, name)
		return op, ok
	}
	arg := tracedArg.FindStringSubmatch(args)
	if arg == nil {
		return op, false
	}
	if call == "write" && arg[1] == "1" {
		return diskOp{kind: "ack", data: []byte(unhex(t, tracedText.FindStringSubmatch(args)[1]))}, true
	}
	if op.name, ok = inside(dir, unhex(t, arg[2])); !ok {
		return op, false
	}
	switch call {
	case "fsync", "fdatasync":
		op.kind = "sync"
		return op, true
	case "pwrite64":
		op.kind, op.data = "write", []byte(unhex(t, tracedText.FindStringSubmatch(args)[1]))
	case "ftruncate":
		op.kind = "truncate"
	default:
		return op, false
	}
	last := tracedLast.FindStringSubmatch(args)
	if last == nil {
		t.Fatalf("trace: %s has no number at its end", call)
	}
	op.offset, _ = strconv.ParseInt(last[1], 10, 64)
	return op, true
}

// inside names a file of dir; the shared-memory file is no part of what a disk
// holds.
func inside(dir, path string) (string, bool) {
	name, err := filepath.Rel(dir, path)
	return name, err == nil && !strings.HasPrefix(name, "..") && !strings.HasSuffix(name, "-shm")
}

// image builds in a new directory what a disk may hold after a cut before ops[at]:
// everything that was synced, and with rest set a random part of what was not,
// some writes only to their middle.
func image(t *testing.T, ops []diskOp, at int, rest *rand.Rand) (dir, acks string) {
	t.Helper()
	synced := make(map[string]int) // by file: how many calls its last sync covers
	for _, op := range ops[:at] {
		if op.kind == "sync" {
			synced[op.name] = op.upTo
		}
	}
	files, lines := make(map[string][]byte), new(strings.Builder)
	for i, op := range ops[:at] {
		if op.kind == "ack" {
			lines.Write(op.data)
			continue
		}
		name := op.name
		if op.kind == "create" || op.kind == "unlink" {
			name = "." // a name is kept by a sync of its directory
		}
		if i >= synced[name] && (rest == nil || rest.IntN(2) == 0) {
			continue
		}
		content, exists := files[op.name]
		switch {
		case op.kind == "create" && !exists:
			files[op.name] = []byte{}
		case op.kind == "unlink":
			delete(files, op.name)
		case op.kind == "write" && exists:
			data := op.data
			if i >= synced[name] && rest.IntN(4) == 0 {
				data = data[:len(data)/2]
			}
			if need := int(op.offset) + len(data); need > len(content) {
				content = append(content, make([]byte, need-len(content))...)
			}
			copy(content[op.offset:], data)
			files[op.name] = content
		case op.kind == "truncate" && exists && int(op.offset) < len(content):
			files[op.name] = content[:op.offset]
		}
	}
	dir = t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, lines.String()
}

// cutPower cuts at many points of a recording and returns how many acknowledged
// messages were there at the cuts, how many of them were lost, and how many
// images were damaged.
func cutPower(t *testing.T, ops []diskOp, cuts int) (taken, lost, damaged int) {
	t.Helper()
	r := rand.New(rand.NewPCG(7, uint64(len(ops))))
	for n := range cuts {
		at := 1 + r.IntN(len(ops))
		var rest *rand.Rand
		if n%2 == 1 {
			rest = r
		}
		dir, lines := image(t, ops, at, rest)
		acks := acknowledged(t, lines)
		l, integrity := verify(t, dir, acks)
		taken, lost = taken+len(acks), lost+l
		if integrity != "ok" {
			damaged++
			if damaged < 4 {
				t.Logf("cut before call %d of %d: %s", at, len(ops), integrity)
			}
		}
	}
	return taken, lost, damaged
}

func TestPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("300 simulated power cuts take many seconds")
	}
	for name, tt := range map[string]struct{ producers, messages int }{"one producer": {1, 80}, "eight producers": {8, 20}} {
		t.Run(name, func(t *testing.T) {
			ops := record(t, tt.producers, tt.messages, "FULL")
			taken, lost, damaged := cutPower(t, ops, cuts)
			t.Logf("%d calls, %d cuts, %d acknowledged messages at the cuts", len(ops), cuts, taken)
			if lost != 0 || damaged != 0 {
				t.Errorf("%d of %d messages lost, %d images damaged", lost, taken, damaged)
			}
			if taken < 6*cuts {
				t.Errorf("only %d messages were acknowledged at the cuts: the recording is no good", taken)
			}
		})
	}
}

// Without a sync at each commit messages are lost: the simulation can see it.
func TestPowerCutShowsMissingSyncs(t *testing.T) {
	if testing.Short() {
		t.Skip("simulated power cuts take seconds")
	}
	ops := record(t, 1, 80, "NORMAL")
	if taken, lost, _ := cutPower(t, ops, 30); lost == 0 {
		t.Errorf("none of %d messages was lost with synchronous=NORMAL: the simulation is blind", taken)
	}
}

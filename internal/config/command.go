package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/secret"
)

// Limits of a command.
const (
	commandTimeout = 30 * time.Second
	commandWait    = 2 * time.Second // for children that keep its output open
	maxStderr      = 4 << 10         // octets of its standard error that are read
	maxSaid        = 512             // octets of these that are shown
)

// command is a program that a setting names, and how it runs: split into words by
// itself, no shell sees it, so nothing in it is expanded. Who wants a shell writes
// sh -c '...'. A program without a path is looked for in PATH, never in the working
// directory.
type command struct {
	words   []string
	environ []string
	limit   time.Duration // 0: commandTimeout
	silent  bool          // errors do not repeat its standard error
}

// run runs the command with input as its standard input, and returns what it
// prints: of more than most octets the first and one more. Its error says how the
// command ended and, in part, what it wrote to standard error.
func (c command) run(ctx context.Context, input []byte, most int) ([]byte, error) {
	limit := c.limit
	if limit == 0 {
		limit = commandTimeout
	}
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stdout := &cappedBuffer{limit: most + 1}
	stderr := &cappedBuffer{limit: maxStderr}
	cmd := exec.CommandContext(timed, c.words[0], c.words[1:]...)
	cmd.Env = c.environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), stdout, stderr
	cmd.WaitDelay = commandWait
	ownGroup(cmd)
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) { // it ended well, and left an agent behind that has its output open
		err = nil
	}
	switch {
	case err != nil && errors.Is(timed.Err(), context.DeadlineExceeded) && ctx.Err() == nil:
		return nil, fmt.Errorf("took longer than %s%s", limit, c.said(stderr, stdout))
	case err != nil:
		return nil, fmt.Errorf("%s%s", runReason(err), c.said(stderr, stdout))
	}
	return stdout.kept, nil
}

// secretCommand runs the command of a secret and returns what it prints. Standard
// input is empty.
func (l *loader) secretCommand(ctx context.Context, e entry) (string, error) {
	words, err := splitWords(e.text.Reveal())
	if err != nil {
		return "", err
	}
	c := command{words: words, environ: l.o.Environ, limit: l.o.CommandTimeout, silent: l.o.SilentCommands}
	printed, err := c.run(ctx, nil, maxSecret)
	switch {
	case err != nil:
		return "", err
	case len(printed) > maxSecret:
		return "", fmt.Errorf("printed more than %d octets", maxSecret)
	}
	text, err := secretText(printed)
	if err != nil {
		return "", fmt.Errorf("ran, but its output %w", err)
	}
	return text, nil
}

// runReason leaves out the command line, whose arguments may hold a secret.
func runReason(err error) string {
	var start *exec.Error
	var exit *exec.ExitError
	switch {
	case errors.As(err, &start):
		return "did not run: " + start.Err.Error()
	case errors.As(err, &exit):
		return "ended with " + exit.Error() // "exit status 3", "signal: killed"
	}
	return "did not run: " + reasonOf(err)
}

// said quotes what a command wrote to standard error, without what also stands
// in the output, thus perhaps in the secret: a command run with tracing prints
// both.
func (c command) said(stderr, stdout *cappedBuffer) string {
	if c.silent {
		return ""
	}
	printed := slices.DeleteFunc(strings.Fields(string(stdout.kept)), func(word string) bool { return len(word) < 4 })
	text := secret.NewWords(printed...).Hide(strings.Join(strings.Fields(string(stderr.kept)), " "), 8)
	if text == "" {
		return ""
	}
	return fmt.Sprintf("; it said: %q", text[:min(len(text), maxSaid)])
}

// cappedBuffer keeps the first octets and lets the rest pass, so that a command
// is not stopped by a full pipe. It embeds no bytes.Buffer, whose ReadFrom would
// be used in place of Write and take in everything.
type cappedBuffer struct {
	kept  []byte
	limit int
}

// Write never fails.
func (b *cappedBuffer) Write(p []byte) (int, error) {
	b.kept = append(b.kept, p[:min(len(p), b.limit-len(b.kept))]...)
	return len(p), nil
}

// splitWords splits at blanks. Single quotes take everything as it is; in
// double quotes \" and \\ stand for themselves. A backslash elsewhere is itself,
// so that a Windows path needs no care.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		case '\'', '"':
			part, length, ok := quotedPart(s[i:])
			if !ok {
				return nil, errors.New("has an opening quote without a closing one")
			}
			word.WriteString(part)
			inWord = true
			i += length - 1
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" {
		return nil, errors.New("names no program")
	}
	return words, nil
}

// quotedPart reads a quoted part at the start of s; length counts its quotes.
func quotedPart(s string) (part string, length int, ok bool) {
	quote := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] == quote {
			return b.String(), i + 1, true
		}
		if quote == '"' && s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
			i++
		}
		b.WriteByte(s[i])
	}
	return "", 0, false
}

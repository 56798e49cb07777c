package entra_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// fake answers in place of the network, so that time can be synctest's.
type fake func(*http.Request) (*http.Response, error)

func (f fake) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (f fake) source() *entra.Source {
	return entra.New(entra.Options{
		TokenURL: "https://login.example/t/token", ClientID: clientID,
		Credential: entra.Secret(secret.New(clientSecret)), HTTPClient: &http.Client{Transport: f},
	})
}

func reply(status int, body string, retryAfter string) *http.Response {
	h := http.Header{"Content-Type": {"text/plain"}}
	if retryAfter != "" {
		h.Set("Retry-After", retryAfter)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// times runs Token against answers of one kind and returns when each request
// came, counted from the start.
func times(t *testing.T, ctx context.Context, answer func() (*http.Response, error)) (at []time.Duration, err error) {
	t.Helper()
	start := time.Now()
	_, err = fake(func(*http.Request) (*http.Response, error) {
		at = append(at, time.Since(start))
		return answer()
	}).source().Token(ctx)
	return at, err
}

func TestPausesGrowWithJitter(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			at, _ := times(t, t.Context(), func() (*http.Response, error) { return reply(503, "", ""), nil })
			if len(at) != 5 {
				t.Fatalf("requests at %v, want 5", at)
			}
			for i, full := range []time.Duration{500, 1000, 2000, 4000} {
				full *= time.Millisecond
				if d := at[i+1] - at[i]; d < full/2 || d > full {
					t.Errorf("pause %d = %v, want %v to %v", i+1, d, full/2, full)
				}
			}
			seen[at[1]] = true
		})
	}
	if len(seen) < 10 {
		t.Errorf("only %d different first pauses in 20 runs", len(seen))
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for name, value := range map[string]func() string{
		"seconds": func() string { return "60" },
		"date":    func() string { return time.Now().Add(60 * time.Second).UTC().Format(http.TimeFormat) },
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()
			at, err := times(t, ctx, func() (*http.Response, error) { return reply(429, "Too Many Requests", value()), nil })
			if len(at) != 2 || at[1] < 60*time.Second || at[1] > 63*time.Second {
				t.Errorf("%s: requests at %v, want 0 s and 60 s", name, at)
			}
			throttled, ok := errors.AsType[*entra.Error](err)
			if !ok || !throttled.Throttled() || throttled.RetryAfter != time.Minute || throttled.Refusal() || ctx.Err() != nil {
				t.Errorf("%s: err = %v", name, err)
			}
			if want := "entra: login.example throttles token requests (HTTP 429, retry after 1m0s, 2 attempts)"; err.Error() != want {
				t.Errorf("%s: %s\nwant %s", name, err, want)
			}
		})
	}
}

func TestRetryAfterBeyondTheDeadlineEndsAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		deadline   time.Duration
		retryAfter string
	}{
		"beyond the deadline":      {20 * time.Second, "60"},
		"an hour without deadline": {0, "3600"},
		"more than 5 min":          {time.Hour, "301"},
		"more than there is":       {time.Hour, "99999999999999999999"},
		"the end of time":          {time.Hour, "Fri, 31 Dec 9999 23:59:59 GMT"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			if tt.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.deadline)
				defer cancel()
			}
			start := time.Now()
			at, err := times(t, ctx, func() (*http.Response, error) { return reply(429, "Too Many Requests", tt.retryAfter), nil })
			if len(at) != 1 || time.Since(start) != 0 {
				t.Errorf("%s: requests at %v, ended after %v, want one and no wait", name, at, time.Since(start))
			}
			if throttled, ok := errors.AsType[*entra.Error](err); !ok || !throttled.Throttled() {
				t.Errorf("%s: err = %v", name, err)
			}
		})
	}
}

func TestPauseEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		interrupted := errors.New("interrupted")
		time.AfterFunc(10*time.Second, func() { cancel(interrupted) })
		start := time.Now()
		_, err := times(t, ctx, func() (*http.Response, error) { return reply(429, "", "60"), nil })
		if time.Since(start) != 10*time.Second || !errors.Is(err, interrupted) {
			t.Errorf("ended after %v with %v", time.Since(start), err)
		}
		if throttled, ok := errors.AsType[*entra.Error](err); !ok || !throttled.Throttled() {
			t.Errorf("the throttling is lost: %v", err)
		}
	})
}

// TestDeadlineDoesNotHideWhatWasSaid: whoever waits for ctx alone would hear
// only that it ended, so the request ends before it.
func TestDeadlineDoesNotHideWhatWasSaid(t *testing.T) {
	for name, tt := range map[string]struct {
		first int
		want  string
	}{
		"silence":             {0, "entra: asking login.example for a token: no answer within 9.8s: i/o timeout"},
		"silence after a 503": {503, "HTTP 503, 2 attempts"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				requests := 0
				_, err := fake(func(r *http.Request) (*http.Response, error) {
					if requests++; requests == 1 && tt.first != 0 {
						return reply(tt.first, "", ""), nil
					}
					<-r.Context().Done()
					return nil, r.Context().Err()
				}).source().Token(ctx)
				if err == nil || !strings.Contains(err.Error(), tt.want) || ctx.Err() != nil {
					t.Errorf("err %v, ctx %v", err, ctx.Err())
				}
			})
		})
	}
}

func TestOneRequestHasThirtySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, requests := time.Now(), 0
		_, err := fake(func(r *http.Request) (*http.Response, error) {
			requests++
			<-r.Context().Done()
			return nil, r.Context().Err()
		}).source().Token(t.Context())
		if took := time.Since(start); requests != 5 || took < 150*time.Second || took > 160*time.Second {
			t.Errorf("%d requests in %v, want 5 of 30 s with pauses", requests, took)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v; it must not read as if the caller's context had ended", err)
		}
		if want := "entra: asking login.example for a token: no answer within 30s: i/o timeout (5 attempts)"; err.Error() != want {
			t.Errorf("%s\nwant %s", err, want)
		}
	})
}

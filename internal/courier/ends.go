package courier

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/outbox/notice"
	"github.com/smtpsend/smtpsend/internal/printable"
)

// How often it is looked at what ends, and how long that may take: files are read, and
// one may be a pipe.
const (
	watchPause = time.Hour
	watchLimit = 10 * time.Second
)

// watch adds notices of what ends, where there is a road to the operator. The outbox
// remembers them, so that another run does not add them again.
func (n *notifier) watch(ctx context.Context, hasRoad bool) error {
	isUnheard := !hasRoad && n.o.Ending == nil
	if n.o.Ends == nil || isUnheard || time.Now().Before(n.watchAfter) {
		return nil
	}
	n.watchAfter = time.Now().Add(watchPause)
	ctx, cancel := context.WithTimeout(ctx, watchLimit)
	defer cancel()
	items, err := n.o.Ends(ctx)
	if err != nil {
		n.o.Logger.Warn("it is not known when all of it ends", "error", err)
	}
	now := n.o.Now()
	for _, i := range items {
		step, due := i.Step(now)
		if !due {
			continue
		}
		n.warn(i, step, now)
		if !hasRoad {
			continue
		}
		about := notice.Notice{Kind: notice.EndsSoon, Text: i.Text(now)}
		if i.Ended(now) {
			about.Kind = notice.Ended
		}
		if err := n.box.Notices().AddStep(ctx, string(i.Kind)+" "+i.Name, i.Over(), step, about); err != nil {
			n.watchAfter = time.Now().Add(notifyPause) // the outbox is locked, or full
			return err
		}
	}
	return nil
}

// warn tells Options.Ending of a step, unless it was told of it.
func (n *notifier) warn(i expiry.Item, step int, now time.Time) {
	thing := fmt.Sprint(i.Kind, " ", i.Name, " ", i.Over().Unix())
	if last, told := n.ending[thing]; n.o.Ending == nil || (told && last <= step) {
		return
	}
	if n.ending == nil {
		n.ending = make(map[string]int)
	}
	n.ending[thing] = step
	n.o.Ending(&expiry.Warning{Item: i, At: now})
}

func isOfAnEnd(about notice.Notice) bool {
	return about.Kind == notice.EndsSoon || about.Kind == notice.Ended
}

// whatEnds is the begin of the text of a notice of an end.
func whatEnds(about notice.Notice) string {
	what, _, _ := strings.Cut(about.Text, ": ")
	return printable.Line(what)
}

package paste

import (
	"slices"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// networkHits are the failures without a reply. Words that follow a reply on its own
// line, and those right before it, belong to that reply ("unexpectedly disconnected:
// 421 4.4.1 Connection timed out").
func (p *paste) networkHits(replies []hit) []hit {
	var hits []hit
	for _, e := range p.entries {
		for _, r := range e.Rules {
			if !r.Network {
				continue
			}
			for _, at := range p.src.words(r.Words) {
				h := hit{entry: e, at: at, score: r.Weight(), words: []string{p.src.quote(at, e)}}
				if e.Vague {
					h.score = 1
				}
				if p.saysFailure(r, at, replies) && p.connects(&h) {
					hits = append(hits, h)
				}
			}
		}
	}
	return dropEchoes(hits)
}

// saysFailure reports whether words of the network at this place are a failure of
// their own.
func (p *paste) saysFailure(r diagnosis.Rule, at region, replies []hit) bool {
	moot := r.Generic && len(replies) > 0 // "no connection", and yet a server replied
	otherWords := r.Solid && p.src.severalWords(at)
	return !moot && !otherWords && !p.src.isSetting(at) && !p.partOfReply(at, replies)
}

// partOfReply reports whether the words at this place belong to a reply: one follows
// them at once, or they are in or after one on its line.
func (p *paste) partOfReply(at region, replies []hit) bool {
	line := p.src.line(at.start)
	follows := func(q pastedReply) bool {
		onLine := q.start >= line.start && q.start < line.end
		return q.code >= 400 && q.enhanced != "" && onLine && q.start-at.end < 60
	}
	holds := func(r hit) bool {
		before := r.at.start <= at.start
		onLine, within := r.at.start >= line.start, at.start < r.at.end
		return before && (onLine || within)
	}
	return slices.ContainsFunc(p.replies, follows) || slices.ContainsFunc(replies, holds)
}

// connects reports whether the failure is one of a connection to Microsoft's,
// and tells the machine itself from it.
func (p *paste) connects(h *hit) bool {
	if h.entry.Local != "" {
		if local, mailPort := p.speakers.onLoopback(h.at); local {
			h.entry, _ = diagnosis.Lookup(h.entry.Local)
			return mailPort && p.speakers.microsofts(h.at, true)
		}
	}
	if h.entry.Inspected != "" && p.speakers.inspected(h.at) {
		h.entry, _ = diagnosis.Lookup(h.entry.Inspected)
	}
	proxys := h.entry.Fault == smtp.FaultProxyRefused || h.entry.Fault == smtp.FaultProxySignIn
	if p.speakers.dialsPrivate(h.at) && !proxys { // a proxy may well have a private address
		return false
	}
	return p.speakers.namesMicrosoftHost(h.at)
}

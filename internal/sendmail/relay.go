package sendmail

import (
	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/readymessage"
)

// byRelay reports that messages go to a relay on this host (RELAY_SOCKET), which has the
// credential, and whose settings say what becomes of senders and of local names.
func (w *rewriter) byRelay() bool { return w.cfg.RelaySocket != "" }

// mailForRelay makes a mail object that a relay completes: names without a domain, a
// missing From and octets above 127 stay as they are. The reverse-path is what was
// given, else the author's address, else null.
func (w *rewriter) mailForRelay(m *readymessage.Message, r request) (*Mail, error) {
	reversePath, err := r.givenSender()
	if err != nil {
		return nil, err
	}
	authors, err := m.From()
	isKnown := err == nil && len(authors) > 0 // else the relay may judge
	if isKnown && (r.senderFromHeader || r.sender == "") {
		reversePath = authors[0]
		reversePath.Name = ""
	}
	changes := readymessage.Changes{Unfinished: true}
	if !isKnown && r.fullName != "" && !reversePath.IsZero() {
		changes.From = reversePath
		changes.From.Name = r.fullName
	}
	made, err := m.Mail(reversePath, r.recipients, r.dsn, changes)
	if err != nil {
		return nil, err
	}
	return &Mail{Mail: made, Mailbox: w.cfg.RelaySocket, From: made.From}, nil
}

// reencode is what is changed in messages: nothing that the relay does.
func (r *run) reencode() readymessage.Options {
	o := readymessage.Options{Reencode: readymessage.Reencode(r.cfg.Reencode)}
	if r.cfg.RelaySocket != "" && o.Reencode != readymessage.ReencodeNever {
		o.Reencode = readymessage.ReencodeLong
	}
	return o
}

// resolve turns recipients into those that a server may know. A relay does so itself.
func (w *rewriter) resolve(list []address.Address) ([]address.Address, error) {
	if w.byRelay() {
		return list, nil
	}
	return w.resolveHere(list)
}

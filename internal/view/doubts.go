package view

import (
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// Doubts warns of what is allowed in a composed message and perhaps not meant.
func Doubts(p *stdio.Printer, m *message.Composed) {
	SizeDoubt(p, m.SizeReport())
	for _, cid := range m.Unshown() {
		p.Warningf("--inline %s: the HTML body does not show cid:%s", cid, cid)
	}
	Unsent(p, m.Missing(), "")
}

// SizeDoubt warns of a mail that a mailbox may be too small for.
func SizeDoubt(p *stdio.Printer, report message.SizeReport) {
	if report.NearLimit() {
		p.Warningf("%s", report)
	}
}

// maxUnsent is how many images that are not sent along are named.
const maxUnsent = 20

// Unsent warns of images that the recipients of a message will not see. advice is
// what helps where there is no --embed and no --inline, "" where there is.
func Unsent(p *stdio.Printer, images []message.Unsent, advice string) {
	for _, image := range images[:min(len(images), maxUnsent)] {
		address := image.Address
		if len(address) > 80 { // such as data:
			address = strings.ToValidUTF8(address[:60], "") + "..."
		}
		why, helps := unsentWhy(image, address)
		if advice != "" {
			helps = advice
		}
		if helps != "" {
			why += "; " + helps
		}
		p.Warningf("the HTML body shows %s, %s", address, why)
	}
	if more := len(images) - maxUnsent; more > 0 {
		p.Warningf("the HTML body shows %d more images that the message does not carry", more)
	}
}

// unsentWhy says why an image is not seen, and which flag of send helps.
func unsentWhy(image message.Unsent, address string) (why, helps string) {
	switch image.Why {
	case message.UnsentFile:
		return "which the message does not carry", "--embed includes the images of local files"
	case message.UnsentCID:
		return "which the message does not carry", fmt.Sprintf("--inline %s=FILE includes it", strings.TrimPrefix(address, "cid:"))
	case message.UnsentPath:
		return "a path of this machine, which the recipient does not have", "--embed includes it when its name is relative to the HTML file"
	case message.UnsentData:
		return "an image within the HTML, which Outlook and Gmail do not show", "--embed includes the images of local files"
	}
	return "which mail programs do not show", ""
}

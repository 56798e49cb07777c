// Package limits is the one table of how large, how long, how deep and how many
// anything may be that comes in: messages, rows, templates, data, Markdown,
// files that are imported. Everything over a limit is refused with an error that
// names it, before memory or time is taken for it.
//
// The figures are chosen so that what is let in is handled within some 100 MB of
// memory and two seconds of one processor core, whoever wrote it, and so that
// nothing that people send comes near them. A format's own limits (the 63 octets
// of a label of a domain, say) stay with the code that reads the format.
package limits

// Of a message. A size is in octets, as everywhere here.
const (
	Message       = 150 << 20 // a ready message, and what is composed: what Exchange Online says in SIZE, 150 MiB
	MessageRead   = 300 << 20 // what is read of a ready message, with CRs that are left out; sendmail reads this much of a refused message and keeps it, so that the caller does not get a closed pipe; after a signal it keeps as much as a message may have
	HeaderSection = 1 << 20   // the header section of a ready message, and of a message within it that is re-encoded
	Fields        = 16 << 20  // all header fields that are written again, where a message is re-encoded; a digest with 10,000 messages needs a tenth of that
	PartHeader    = 100 << 10 // the header of one MIME part, where a message is re-encoded; Postfix's header_size_limit
	PartNesting   = 100       // multiparts within multiparts, where a message is re-encoded; Postfix's mime_nesting_limit
	Parts         = 10_000    // parts, where a message is re-encoded
	Line          = 998       // a line, without CRLF (RFC 5322 2.1.1)
	CommandLine   = 512       // an SMTP command with an address, with CRLF and without parameters (RFC 5321 4.5.3.1.4)
	CRs           = 64 << 10  // CRs in a row in a ready message; they become blanks, or are removed before an LF
	Body          = 25 << 20  // a text or HTML body from a file or standard input; it is held in memory, unlike attachments
	HTML          = 7 << 20   // an HTML body, of which the text is made
	AddressList   = 2 << 20   // a list of addresses, or a file of them
	Address       = 64 << 10  // one address, with its name
	Addresses     = 50_000    // addresses in a list or a file; Exchange takes 10,000 recipients from a mailbox in a day
	GlobNames     = 100_000   // names in directories that a pattern of --attach looks at
	GlobMatches   = 1_000     // files that it finds
	PreviewImages = 20 << 20  // all images that a preview page carries, as often as they occur in it
)

// Of Markdown and of the HTML that a text is made of.
const (
	MarkdownSource  = 2 << 20     // the source
	MarkdownNodes   = 200_000     // paragraphs and their lines, list items, table cells, links, emphases ...
	MarkdownNesting = 100         // levels of quotations and lists
	MarkdownWork    = 100_000_000 // comparisons of brackets and other marks with each other; they grow with the square of the marks that are not closed
	MarkdownHTML    = 6 << 20     // the HTML made from it
	HTMLTags        = 50_000      // tags and comments of an HTML body that is laid out as text; a body with more becomes text without layout
)

// Of templates and their data.
const (
	TemplateSource    = 8 << 20   // a template file
	TemplateFront     = 1 << 20   // its front matter
	TemplateValues    = 20_000    // values in the front matter
	TemplateActions   = 128 << 10 // everything between {{ and }}
	TemplateNesting   = 100       // levels of blocks and parentheses, and "else if" in a row
	TemplateDefines   = 100       // templates that it defines with define and block
	TemplateVariables = 200       // variables that it declares
	TemplateParts     = 1000      // fields of it that hold an action; each address and each header is one
	TemplateCalls     = 100       // calls of templates within each other
	TemplateSteps     = 1_000_000 // steps of one message, all its parts together: an action each time it is executed
	TemplateHTML      = 200_000   // actions of an HTML body that the library looks at to find the place of each: in a range twice, in a range within it four times, and in a template for each call of it
	TemplateText      = 16 << 20  // what functions such as printf make while one message is filled in
	TemplateResult    = 16 << 20  // the bodies of a message that are filled in, text and HTML together
	TemplateValue     = 4 << 20   // one value that is written into HTML, which escaping makes up to six times as long
	TemplateFields    = 2 << 20   // all other parts of a message that are filled in, together: addresses, headers, names of attachments
	Data              = 8 << 20   // a file of data, JSON or YAML
	DataValues        = 50_000    // values in it, keys included
	DataNesting       = 100       // levels of lists and groups
)

// Of the rows of a batch.
const (
	Rows       = 1_000_000 // rows; Exchange takes 10,000 recipients from a mailbox in a day
	WrongRows  = 10_000    // rows that cannot be used, after which no more are looked at
	RowRecord  = 4 << 20   // a record of CSV, or a line of JSON
	RowField   = 1 << 20   // a field of CSV
	RowColumns = 16_384    // columns of CSV, as many as Excel has, and values of a line of JSON
	RowKey     = 500       // the value that names a row
)

// Of files that are imported, and of texts that are explained.
const (
	EnvErrors     = 20      // lines of an env file that cannot be read and are listed, each with its reason
	Import        = 4 << 20 // a file for config import
	ImportValues  = 20_000  // entries in it
	ImportNesting = 64      // levels of YAML in it
	ImportKey     = 1 << 10 // the key of an entry, with those above it
	Scenario      = 1 << 20 // a scenario for the sandbox
	Aliases       = 4 << 20 // an aliases file
	AliasEntries  = 50_000  // aliases in it
	AliasTargets  = 200_000 // addresses and names that its aliases lead to
	AliasResults  = 1_000   // addresses that one name may become
	AliasDepth    = 50      // aliases that lead from one to the next
	PasteRead     = 1 << 30 // a text for explain that is read
	Paste         = 1 << 20 // what is looked at of it: the first and the last half of this
)

// Of the relay's settings file.
const (
	RelayFile      = 2 << 20 // the file
	RelayValues    = 100_000 // values in it, those of an alias each time; lines, commas, colons and brackets may be twice as many
	RelayValue     = 1_000   // octets of a value
	RelayListeners = 64      // listeners
	RelayClients   = 5_000   // clients, and rules for senders
	RelayList      = 1_000   // networks, uids, senders or domains of a client
	RelayProblems  = 1_000   // problems that are named, and warnings
)

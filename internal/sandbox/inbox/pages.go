package inbox

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"io"
	"net/http"
)

// schemaVersion is that of the API's JSON.
const schemaVersion = 1

//go:embed inbox.html
var inboxHTML string

// Routes returns the handlers by their patterns of http.ServeMux. The pages say
// that mail for this inbox goes to smtpAddr.
func (box *Inbox) Routes(smtpAddr string) map[string]http.HandlerFunc {
	p := pages{box, smtpAddr, template.Must(template.New("inbox").Parse(inboxHTML))}
	return map[string]http.HandlerFunc{
		"GET /{$}":                   p.list,
		"GET /messages/{id}":         p.message,
		"GET /api/messages":          box.serveList,
		"DELETE /api/messages":       box.serveClear,
		"GET /api/messages/{id}":     box.serveMessage,
		"GET /api/messages/{id}/raw": box.serveRaw,
	}
}

// listing is what the API lists.
type listing struct {
	SchemaVersion int       `json:"schema_version"`
	Messages      []Message `json:"messages"`
	Total         int       `json:"total"`
}

func (box *Inbox) serveList(w http.ResponseWriter, _ *http.Request) {
	list := box.Messages()
	writeJSON(w, listing{schemaVersion, list, len(list)})
}

func (box *Inbox) serveClear(w http.ResponseWriter, _ *http.Request) {
	box.Clear()
	w.WriteHeader(http.StatusNoContent)
}

func (box *Inbox) serveMessage(w http.ResponseWriter, r *http.Request) {
	d, ok := box.Detail(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	writeJSON(w, struct {
		SchemaVersion int `json:"schema_version"`
		Detail
	}{schemaVersion, d})
}

func (box *Inbox) serveRaw(w http.ResponseWriter, r *http.Request) {
	_, content, ok := box.open(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	defer content.Close()
	// Text, so that a browser shows it and never runs it.
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.Copy(w, content)
}

// Detail reads the message of an ID; false when there is none.
func (box *Inbox) Detail(id string) (Detail, bool) {
	m, content, ok := box.open(id)
	if !ok {
		return Detail{}, false
	}
	defer content.Close()
	return ReadDetail(m, content), true
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v)
}

// pages shows an inbox to people.
type pages struct {
	box      *Inbox
	smtpAddr string
	template *template.Template
}

// page is what inbox.html shows: a list or one message.
type page struct {
	SMTP     string
	Messages []Message
	Detail   *Detail
}

func (p pages) list(w http.ResponseWriter, _ *http.Request) {
	p.show(w, page{SMTP: p.smtpAddr, Messages: p.box.Messages()})
}

func (p pages) message(w http.ResponseWriter, r *http.Request) {
	d, ok := p.box.Detail(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	p.show(w, page{SMTP: p.smtpAddr, Detail: &d})
}

// show allows the page its own style and the frame of a mail's HTML; nothing in
// a mail may run or load, and no other page may put this one into a frame.
func (p pages) show(w http.ResponseWriter, shown page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = p.template.Execute(w, shown)
}

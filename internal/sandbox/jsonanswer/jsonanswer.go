// Package jsonanswer writes the answers in JSON of the sandbox's endpoints for credentials.
package jsonanswer

import (
	"encoding/json"
	"net/http"
)

// Write answers with a status and a value, which is kept by no cache.
func Write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "encoding failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

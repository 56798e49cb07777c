package wire

// Redacted is what a dialogue that authenticated with token and response makes of
// a server's text.
func Redacted(token string, response []byte, text string) string {
	return newCredential(token, response).hide(text)
}

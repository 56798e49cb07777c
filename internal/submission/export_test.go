package submission

// Veiled is what a session that authenticated with token and response makes of
// a server's text.
func Veiled(token string, response []byte, text string) string {
	return newVeil(token, response).hide(text)
}

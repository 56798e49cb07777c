package relay

// Untaken is the reply for an error of the outbox.
func (r *Relay) Untaken(err error) (code int, text string) {
	refused := r.untaken(err)
	return refused.reply, refused.enhanced + " " + refused.text
}

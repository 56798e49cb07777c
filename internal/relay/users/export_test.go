package users

import "fmt"

// Clients is how many clients there are after 10,000 have come and gone.
func Clients(u *Users) int {
	for i := range 10_000 {
		t := u.throttle.enter(fmt.Sprint(i))
		t.spend()
		t.leave()
	}
	u.throttle.mu.Lock()
	defer u.throttle.mu.Unlock()
	return len(u.throttle.clients)
}

package server

import (
	"net/http"
	"sync"
)

// gate lets handlers in until it is closed, and closing waits for those inside
// and for what else was started with wait.
type gate struct {
	wait sync.WaitGroup

	mu     sync.Mutex
	closed bool
}

// enter says whether the caller may go in; it then calls wait.Done.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.wait.Add(1)
	return true
}

func (g *gate) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.enter() {
			sever(w)
			return
		}
		defer g.wait.Done()
		next.ServeHTTP(w, r)
	})
}

func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.wait.Wait()
}

package tui

import "time"

// notice is one line in the footer that goes by itself: the answer to a key.
type notice struct {
	text  string
	ticks int
}

// noticeFor is how long a notice stays, a tick of the clock at least.
const noticeFor = 4 * time.Second

func (m *Model) say(text string) {
	m.notice = notice{text, max(1, int((noticeFor+m.Tick-1)/m.Tick))}
}

func (n *notice) tick() {
	if n.ticks--; n.ticks <= 0 {
		n.text = ""
	}
}

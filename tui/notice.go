package tui

// notice is one line in the footer that goes by itself: the answer to a key.
type notice struct {
	text  string
	ticks int
}

// noticeTicks is how long a notice stays, in ticks of the clock.
const noticeTicks = 4

func (n *notice) say(text string) { n.text, n.ticks = text, noticeTicks }

func (n *notice) tick() {
	if n.ticks--; n.ticks <= 0 {
		n.text = ""
	}
}

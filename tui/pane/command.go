package pane

import "context"

// Command is something that a pane wants done to a server. The pane only
// describes it: the root asks the user, runs it as a job, and logs it.
type Command struct {
	// Title names it in the log and in notices: "start profile on 7f3a".
	Title string
	// Request is the exact request, or the command line, one a line; it is
	// what the user confirms.
	Request string
	// Note is what else should be known before: an expected freeze, what is
	// not seen from here. May be empty.
	Note string
	// Changes says that a server is changed by it. Only then it asks first,
	// and is refused under --read-only.
	Changes bool
	// Run sends exactly Request and returns the answer, in a goroutine of its
	// own. The context ends when the user quits.
	Run func(ctx context.Context) (answer string, err error)
}

// Actor is a pane some of whose actions ask for a command.
type Actor interface {
	// Act says what an action would do; ok is false for all that only moves
	// about, which Press handles. It does nothing itself.
	Act(Action, Frame) (c Command, ok bool)
}

// Clicker is a pane that understands clicks; x and y are cells of the frame,
// from 0.
type Clicker interface {
	// Click says whether it changed anything.
	Click(x, y int, f Frame) bool
}

// Copier is a pane that knows its focused part as text better than its
// drawing does, such as a table with the columns that found no room.
type Copier interface {
	// Copy returns lines without styles.
	Copy(Frame) []string
}

package pane

import "time"

// DetailNeed is a worker that a pane wants to know more of than a store holds.
// It is comparable: equal ones are asked once.
type DetailNeed struct {
	Instance string // host:port of its page, as the label spells it
	Engine   string // as its figures told; may be empty
	Model    string // that it serves; may be empty
}

// Detail is what was found out about a worker. Its texts are clean and
// without secrets.
type Detail struct {
	At time.Time // when it was asked
	// Process names the process: "pid 4242, dynamo.sglang"; empty when it is
	// not known.
	Process string
	PID     string   // of the process, empty when it is not known
	Args    []string // its command line, secrets hidden
	Flags   []FlagRow
	// Unknown says what would reveal more of the flags; empty when all is
	// known.
	Unknown string
	Log     LogTail
}

// FlagRow is one setting of the process.
type FlagRow struct {
	Name, Value string
	// Source is where the value is known from ("process", "route", "figures",
	// "default"), Origin the flag, variable, field or family it was read from.
	Source, Origin string
	Note           string
}

// LogTail is the end of a worker's log.
type LogTail struct {
	From  string   // the file
	Lines []string // oldest first
	// Hint is what to do where the log cannot be read: a command to run, or
	// why there is none.
	Hint string
}

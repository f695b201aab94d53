package profiling

import "fmt"

// Phase is where a session is.
type Phase string

// The phases, in the order of a session that goes well, and its ends.
const (
	Idle      Phase = "idle"
	Checking  Phase = "checking"  // lock, disk, traffic
	Recording Phase = "recording" // steps are being traced
	Exporting Phase = "exporting" // the worker writes its files and stands still
	Verifying Phase = "verifying" // files are read to their ends
	Done      Phase = "done"
	Failed    Phase = "failed" // and no profiler of ours is on
	// AlreadyStopped: a stop found nothing in progress, and there is no file
	// that says what was recorded.
	AlreadyStopped Phase = "already stopped"
	// Unknown: the worker did not say whether its profiler is on.
	Unknown Phase = "unknown"
)

// Ended says that nothing more happens in this phase. Unknown has not ended:
// a stop may still settle it.
func (p Phase) Ended() bool {
	return p == "" || p == Idle || p == Done || p == Failed || p == AlreadyStopped
}

// Input is what moves a session.
type Input string

// The inputs. Those of answers are what judge makes of them.
const (
	Begin         Input = "begin"
	Refused       Input = "refused"     // a check
	Started       Input = "started"     // start: yes
	NotStarted    Input = "not started" // start: no, and nothing of ours is on
	StartLost     Input = "start lost"  // start: no answer
	FilesAppear   Input = "files appear"
	Stopping      Input = "stopping" // a stop is about to leave
	Stopped       Input = "stopped"  // stop: yes
	NotInProgress Input = "not in progress"
	StopFailed    Input = "stop failed" // or no answer to it
	Look          Input = "look"        // files rest: read them
	Whole         Input = "whole"       // all files are there and whole
	Incomplete    Input = "incomplete"  // they never will be
	NoFiles       Input = "no files"    // none known of, after a stop that found nothing
	LeftThere     Input = "left there"  // whoever watched went away during an export
)

var transitions = map[Phase]map[Input]Phase{
	Idle:      {Begin: Checking, Stopping: Exporting},
	Checking:  {Refused: Failed, Started: Recording, NotStarted: Failed, StartLost: Unknown},
	Recording: {FilesAppear: Exporting, Stopping: Exporting, Look: Verifying},
	// Without a file to be seen, the answer to the stop is the news.
	Exporting: {Stopping: Exporting, Stopped: Verifying, NotInProgress: Verifying, StopFailed: Unknown, Look: Verifying, LeftThere: Unknown},
	// Files that are missing are looked for again once a stop was answered.
	Verifying: {Whole: Done, Incomplete: Failed, NoFiles: AlreadyStopped, Stopping: Exporting, LeftThere: Unknown},
	// A stop settles it.
	Unknown: {Stopping: Exporting, NotStarted: Failed, Look: Verifying, LeftThere: Unknown},
}

// Next is the phase after an input, or an error where that input has no place.
func Next(p Phase, in Input) (Phase, error) {
	if to, ok := transitions[p][in]; ok {
		return to, nil
	}
	return p, fmt.Errorf("profile session: %q has no place while %s", string(in), string(p))
}

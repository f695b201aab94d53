package server

import (
	"syscall"
	"time"
)

// napBelow is what is slept exactly. The runtime's timers round what is less
// than a millisecond up to one, when there is nothing else to do.
const napBelow = time.Millisecond

// nap sleeps for less than a millisecond, to about 60 µs. It holds a thread and
// hears nothing meanwhile.
func nap(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // cut short by a signal, the caller looks at the clock again
}

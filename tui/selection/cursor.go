package selection

import "slices"

// Cursor stays on a row, not on a place: rows come, go and are sorted under it.
// Its zero value was put nowhere yet: the first row is in view, and a screen
// draws it as selected or not.
type Cursor[K comparable] struct {
	// Key names the row; the zero key is none.
	Key K
	// At is where it was put, for when its row is gone.
	At int
}

// Placed says whether the cursor was put on a row.
func (c Cursor[K]) Placed() bool {
	var none K
	return c.Key != none
}

// Place is where the cursor stands among rows of these keys, -1 without any. A
// cursor whose row is gone or filtered out stays where it was.
func (c Cursor[K]) Place(keys []K) int {
	switch i := slices.Index(keys, c.Key); {
	case len(keys) == 0:
		return -1
	case !c.Placed():
		return 0
	case i >= 0:
		return i
	}
	return min(max(c.At, 0), len(keys)-1)
}

// Move puts the cursor on a row, one of these keys, and says whether that is
// another place than it stood at. Beyond them it stays.
func (c *Cursor[K]) Move(keys []K, to int) bool {
	if to < 0 || to >= len(keys) {
		return false
	}
	moved := c.Place(keys) != to
	c.Key, c.At = keys[to], to
	return moved
}

// Pick is Move that says whether it is another row: of a screen that does not
// draw a cursor which was put nowhere.
func (c *Cursor[K]) Pick(keys []K, to int) bool {
	was := c.Key
	c.Move(keys, to)
	return c.Key != was
}

// Clear takes the cursor off its row, and says whether it was on one.
func (c *Cursor[K]) Clear() bool {
	was := c.Placed()
	*c = Cursor[K]{}
	return was
}

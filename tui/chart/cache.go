package chart

// Key says what a drawing depends on. Everything that changes the picture
// must be in it: the data's version, the size, and as State whatever else
// there is (cursor, theme, window, filter).
type Key struct {
	Kind, ID string
	Version  uint64
	W, H     int
	State    string
}

// Cache keeps the latest drawing of each (Kind, ID). It belongs to one
// goroutine; nil is a cache that keeps nothing.
type Cache struct {
	last map[[2]string]drawing
}

type drawing struct {
	key  Key
	text string
}

// Draw returns the drawing for a key, calling draw only when the key has
// changed since the last call for its Kind and ID.
func (c *Cache) Draw(k Key, draw func() string) string {
	if c == nil {
		return draw()
	}
	slot := [2]string{k.Kind, k.ID}
	if d, ok := c.last[slot]; ok && d.key == k {
		return d.text
	}
	text := draw()
	if c.last == nil || len(c.last) >= most {
		c.last = map[[2]string]drawing{}
	}
	c.last[slot] = drawing{k, text}
	return text
}

// most bounds the cache: workers come and go, and each leaves its drawings.
const most = 2048

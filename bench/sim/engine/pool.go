package engine

// node is an index into pool.nodes; 0 is none.
type node int32

// page is one full page of the pool that a prefix of tokens is known for.
type page struct {
	key        uint64 // hash of the whole prefix up to here; 0: nobody can find it
	refs       int32  // requests that hold it
	prev, next node   // its place among the evictable, oldest first
}

// pool is the KV memory: pages in use, pages that hold a known prefix and
// nobody uses (evictable), free pages. used + evictable + free = total.
//
// The evictable pages are one list in order of last use. Requests let go of
// their path from its end to its root, so a page is always older in the list
// than the page before it in the prefix: the oldest is never in the middle of
// a prefix that still exists, and no tree is needed.
type pool struct {
	total     int
	used      int // held by a request, shared pages counted once
	evictable int
	byKey     map[uint64]node
	nodes     []page
	spare     []node
	evicted   uint64 // pages evicted so far
}

func newPool(total int) *pool {
	p := &pool{total: total, byKey: map[uint64]node{}, nodes: make([]page, 1)}
	return p
}

func (p *pool) free() int { return p.total - p.used - p.evictable }

// room returns the pages that could be had now.
func (p *pool) room() int { return p.total - p.used }

// take moves n pages into use, evicting where nothing is free. The caller has
// asked room.
func (p *pool) take(n int) {
	p.used += n
	p.fit()
}

// give returns n pages that nobody knows to the free ones.
func (p *pool) give(n int) { p.used -= n }

// fit evicts until the pool is no more than full, or nothing is evictable.
func (p *pool) fit() {
	for p.used+p.evictable > p.total && p.evictable > 0 {
		p.evict()
	}
}

// flush evicts all that is evictable.
func (p *pool) flush() {
	for p.evictable > 0 {
		p.evict()
	}
}

// evict frees the oldest evictable page.
func (p *pool) evict() {
	oldest := p.nodes[0].next
	p.unlink(oldest)
	p.evicted++
	if key := p.nodes[oldest].key; key != 0 {
		delete(p.byKey, key)
	}
	p.spare = append(p.spare, oldest)
}

// unlink takes a page out of the evictable list; nodes[0] is its ring's head.
func (p *pool) unlink(n node) {
	pg := &p.nodes[n]
	p.nodes[pg.prev].next = pg.next
	p.nodes[pg.next].prev = pg.prev
	p.evictable--
}

// retire puts a page nobody holds at the young end of the evictable list.
func (p *pool) retire(n node) {
	last := p.nodes[0].prev
	p.nodes[n].prev, p.nodes[n].next = last, 0
	p.nodes[last].next = n
	p.nodes[0].prev = n
	p.evictable++
}

// find returns the page known under key and holds it.
func (p *pool) find(key uint64) (node, bool) {
	n, ok := p.byKey[key]
	if !ok {
		return 0, false
	}
	if p.nodes[n].refs == 0 {
		p.unlink(n)
		p.used++
	}
	p.nodes[n].refs++
	return n, true
}

// publish makes a page in use known under key (0: known to nobody) and held
// once. If the key is known already, that page is held instead and the own
// copy is free.
func (p *pool) publish(key uint64) node {
	if key != 0 {
		if n, ok := p.find(key); ok {
			p.used--
			return n
		}
	}
	var n node
	if last := len(p.spare) - 1; last >= 0 {
		n, p.spare = p.spare[last], p.spare[:last]
	} else {
		n = node(len(p.nodes))
		p.nodes = append(p.nodes, page{})
	}
	p.nodes[n] = page{key: key, refs: 1}
	if key != 0 {
		p.byKey[key] = n
	}
	return n
}

// name makes a page known under key that was known to nobody.
func (p *pool) name(n node, key uint64) {
	if _, taken := p.byKey[key]; taken || key == 0 || p.nodes[n].key != 0 {
		return
	}
	p.nodes[n].key = key
	p.byKey[key] = n
}

// release lets go of a path from its end to its root.
func (p *pool) release(path []node) {
	for i := len(path) - 1; i >= 0; i-- {
		n := path[i]
		p.nodes[n].refs--
		if p.nodes[n].refs == 0 {
			p.used--
			p.retire(n)
		}
	}
}

// resize changes the total and evicts what no longer fits.
func (p *pool) resize(total int) {
	p.total = total
	p.fit()
}

// chain returns the key of the page with this hash behind the prefix parent.
func chain(parent, hash uint64) uint64 {
	x := parent*0x9e3779b97f4a7c15 + hash + 0x632be59bd9b4e019
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	x ^= x >> 31
	return max(x, 1)
}

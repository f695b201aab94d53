package verdict

// onceKey names something that is worked out for one column.
type onceKey struct {
	name   string
	column int
}

// Once is what f makes of this moment, worked out once for all rules of a
// judgement that share it under one name. f must be a function of the moment
// alone, and what it returns must not be changed.
func (m Moment) Once(name string, f func() any) any {
	k := onceKey{name, m.i}
	if v, ok := m.c.shared[k]; ok {
		return v
	}
	v := f()
	m.c.shared[k] = v
	return v
}

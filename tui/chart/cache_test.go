package chart

import (
	"fmt"
	"testing"
)

func TestCacheRedrawsWhenAnythingChanges(t *testing.T) {
	var c Cache
	drawn := 0
	draw := func() string { drawn++; return fmt.Sprint(drawn) }
	base := Key{Kind: "heat", ID: "ttft", Version: 7, W: 80, H: 20, State: "dark"}
	for range 2 {
		if c.Draw(base, draw) != "1" {
			t.Fatal("the same key is drawn twice")
		}
	}
	want := 1
	for name, change := range map[string]func(*Key){
		"version": func(k *Key) { k.Version++ },
		"width":   func(k *Key) { k.W++ },
		"height":  func(k *Key) { k.H++ },
		"state":   func(k *Key) { k.State = "light" },
		"kind":    func(k *Key) { k.Kind = "line" },
		"id":      func(k *Key) { k.ID = "itl" },
	} {
		k := base
		change(&k)
		want++
		if got := c.Draw(k, draw); got != fmt.Sprint(want) {
			t.Errorf("a changed %s gives the old drawing %q", name, got)
		}
	}
	for i := range 3 * most {
		c.Draw(Key{ID: fmt.Sprint(i)}, draw)
	}
	if len(c.last) > most {
		t.Errorf("the cache holds %d drawings", len(c.last))
	}
	var none *Cache
	if none.Draw(base, func() string { return "x" }) != "x" {
		t.Error("no cache draws nothing")
	}
}

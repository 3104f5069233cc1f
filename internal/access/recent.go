package access

import (
	"container/list"
	"sync"
)

// recent is a map that forgets its least recently used entry when it is full,
// so that no caller can make it grow.
type recent[K comparable, V any] struct {
	mu    sync.Mutex
	max   int
	order *list.List // front is the most recently used
	items map[K]*list.Element
}

type recentItem[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](max int) *recent[K, V] {
	return &recent[K, V]{max: max, order: list.New(), items: make(map[K]*list.Element)}
}

// get returns the entry of a key and marks it used.
func (r *recent[K, V]) get(key K) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.items[key]
	if !ok {
		var none V
		return none, false
	}
	r.order.MoveToFront(e)
	return e.Value.(*recentItem[K, V]).value, true
}

// put sets the entry of a key.
func (r *recent[K, V]) put(key K, value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.items[key]; ok {
		e.Value.(*recentItem[K, V]).value = value
		r.order.MoveToFront(e)
		return
	}
	r.insert(key, value)
}

// getOrPut returns the entry of a key, made by make if there is none.
func (r *recent[K, V]) getOrPut(key K, make func() V) V {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.items[key]; ok {
		r.order.MoveToFront(e)
		return e.Value.(*recentItem[K, V]).value
	}
	value := make()
	r.insert(key, value)
	return value
}

func (r *recent[K, V]) insert(key K, value V) {
	r.items[key] = r.order.PushFront(&recentItem[K, V]{key, value})
	if r.order.Len() > r.max {
		oldest := r.order.Remove(r.order.Back()).(*recentItem[K, V])
		delete(r.items, oldest.key)
	}
}

// remove forgets a key.
func (r *recent[K, V]) remove(key K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.items[key]; ok {
		r.order.Remove(e)
		delete(r.items, key)
	}
}

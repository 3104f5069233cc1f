package clock

import (
	"cmp"
	"slices"
	"time"
)

// interval is where the offset of the clock lies, by one source or by several.
type interval struct{ low, high time.Duration }

func (i interval) overlaps(j interval) bool { return i.low <= j.high && j.low <= i.high }

func (i interval) middle() time.Duration { return i.low + (i.high-i.low)/2 }

func (i interval) radius() time.Duration { return (i.high - i.low + 1) / 2 }

// agreement finds the smallest interval that lies within as many of the given
// ones as possible, and says how many those are (Marzullo's algorithm). Of two
// that are held by equally many the span over both is given: nobody knows which
// of them is right, and the uncertainty must say so.
func agreement(all []interval) (agreed interval, count int) {
	type edge struct {
		at   time.Duration
		kind int // -1 begins an interval, +1 ends it: at one place beginnings come first
	}
	edges := make([]edge, 0, 2*len(all))
	for _, i := range all {
		edges = append(edges, edge{i.low, -1}, edge{i.high, +1})
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.kind, b.kind)) })
	depth := 0
	for n, e := range edges {
		depth -= e.kind
		if e.kind > 0 || depth < count {
			continue
		}
		// A beginning is never the last edge.
		if depth > count {
			agreed.low = e.at
		}
		count, agreed.high = depth, edges[n+1].at
	}
	return agreed, count
}

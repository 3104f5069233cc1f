package statement

import "strings"

const (
	// textsChunkBytes is what texts that differ are put into together: one
	// allocation for some hundred entries.
	textsChunkBytes = 32 << 10
	// textsRecent is how many texts that files repeat are kept.
	textsRecent = 256
)

// texts makes strings of the bytes that are read, with few allocations.
type texts struct {
	chunk  strings.Builder
	recent [textsRecent]string
}

// keep returns the text, put behind others into one piece of memory.
func (t *texts) keep(b []byte) string {
	if len(b) > t.chunk.Cap()-t.chunk.Len() {
		if len(b) > textsChunkBytes/4 {
			return string(b)
		}
		t.chunk = strings.Builder{} // whoever has a string of the old one keeps it alive
		t.chunk.Grow(textsChunkBytes)
	}
	from := t.chunk.Len()
	t.chunk.Write(b)
	return t.chunk.String()[from:]
}

// intern returns the text, the same string for the same bytes if they came a
// short while ago.
func (t *texts) intern(b []byte) string {
	n := len(b)
	if n == 0 {
		return ""
	}
	place := &t.recent[(uint(b[0])*31+uint(b[n/2])*7+uint(b[n-1])+uint(n)*61)%textsRecent]
	if *place != string(b) {
		*place = string(b)
	}
	return *place
}

package xmlpull

import (
	"encoding/binary"
	"math/bits"
)

// Tag is the number of an element's name in a Vocabulary, from 1. Zero is any
// other name.
type Tag uint16

// Vocabulary numbers the names that a caller tells apart, so that he need not
// compare texts. It does not change and may be used by any number of scanners.
type Vocabulary struct {
	names [][]byte // by tag; nil at 0
	ends  []ending // by tag
	slots [slotCount]slot
	long  map[string]Tag // names of quickBytes and more
}

// ending is what the end tag of a short name has behind its </: the name and
// the >. The masks are zero for a name of quickBytes and more.
type ending struct{ first, second, firstMask, secondMask uint64 }

// slot of a table with open addressing. The two words are the name's bytes,
// with zeros behind them.
type slot struct {
	first, second uint64
	tag           Tag
}

const (
	// quickBytes is what find looks at in one piece: a name and what ends it.
	quickBytes = 16
	// slotCount leaves places of the table empty, so that a look ends soon.
	slotBits  = 8
	slotCount = 1 << slotBits
	// NamesMax is how many names a Vocabulary may have.
	NamesMax = slotCount / 2
)

// NewVocabulary gives the names the tags 1, 2, 3 and so on. What is beyond
// NamesMax has none.
func NewVocabulary(names ...string) *Vocabulary {
	v := &Vocabulary{names: make([][]byte, 1, len(names)+1), ends: make([]ending, 1, len(names)+1), long: make(map[string]Tag)}
	for _, name := range names[:min(len(names), NamesMax)] {
		tag := Tag(len(v.names))
		v.names = append(v.names, []byte(name))
		if len(name) >= quickBytes {
			v.long[name] = tag
			v.ends = append(v.ends, ending{})
			continue
		}
		var space, mask [quickBytes]byte
		copy(space[:], name+">")
		for i := range len(name) + 1 {
			mask[i] = 0xFF
		}
		end := ending{}
		end.first, end.second = words(space[:])
		end.firstMask, end.secondMask = words(mask[:])
		v.ends = append(v.ends, end)
		space[len(name)] = 0
		first, second := words(space[:])
		at := place(first, second)
		for v.slots[at].tag != 0 {
			at = (at + 1) % slotCount
		}
		v.slots[at] = slot{first, second, tag}
	}
	return v
}

// find returns the tag of a name.
func (v *Vocabulary) find(name []byte) Tag {
	if len(name) >= quickBytes {
		return v.long[string(name)]
	}
	var space [quickBytes]byte
	copy(space[:], name)
	return v.look(words(space[:]))
}

// begin returns the tag of the name that b begins with and its length, if a >
// or a space ends it and it is in the vocabulary. b has quickBytes at least.
func (v *Vocabulary) begin(b []byte) (tag Tag, length int) {
	first, second := words(b)
	if ends := stops(first); ends != 0 {
		length = bits.TrailingZeros64(ends) / 8
		first, second = first&(1<<(8*length)-1), 0
	} else if ends = stops(second); ends != 0 {
		length = bits.TrailingZeros64(ends) / 8
		second &= 1<<(8*length) - 1
		length += 8
	} else {
		return 0, 0
	}
	return v.look(first, second), length
}

func words(b []byte) (first, second uint64) {
	return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
}

// stops has the highest bit of the first byte of the word that is > or a
// space; bits further up mean nothing.
func stops(word uint64) uint64 {
	const ones, highest = 0x0101010101010101, 0x8080808080808080
	tag, space := word^'>'*ones, word^' '*ones
	return ((tag-ones)&^tag | (space-ones)&^space) & highest
}

// closes reports whether b, behind a </, is the end tag of an element with the
// tag. b has quickBytes at least. False may be wrong.
func (v *Vocabulary) closes(tag Tag, b []byte) bool {
	end := &v.ends[tag]
	first, second := words(b)
	return end.firstMask != 0 && first&end.firstMask == end.first && second&end.secondMask == end.second
}

func (v *Vocabulary) look(first, second uint64) Tag {
	for at := place(first, second); ; at = (at + 1) % slotCount {
		if s := &v.slots[at]; s.tag == 0 || s.first == first && s.second == second {
			return s.tag
		}
	}
}

// place mixes the words by multiplication (Knuth, TAOCP vol. 3 §6.4).
func place(first, second uint64) uint64 {
	const golden = 0x9E3779B97F4A7C15
	return (first ^ bits.RotateLeft64(second*golden, 32)) * golden >> (64 - slotBits)
}

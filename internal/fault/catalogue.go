package fault

import (
	"cmp"
	"fmt"
	"slices"
)

// rooms lists the entries of every room; each room's codes stand in a file of
// their own (catalogue_<room>.go).
var rooms = [][]Entry{
	coreEntries,
	storeEntries,
	pkiEntries,
	pkcs12Entries,
	verifyEntries,
	signEntries,
	tsaEntries,
	processEntries,
	xmlEntries,
	paymentsEntries,
	reconcileEntries,
	gatewayEntries,
	postingEntries,
	ledgerEntries,
	hsmEntries,
	accessEntries,
	dossierEntries,
	webhookEntries,
	reportEntries,
}

// catalogue is the index over all rooms.
var catalogue = index(rooms)

func index(rooms [][]Entry) map[Code]Entry {
	all := make(map[Code]Entry)
	for _, entries := range rooms {
		for _, e := range entries {
			if _, twice := all[e.Code]; twice {
				panic(fmt.Sprintf("fault: code %s is declared twice", e.Code))
			}
			all[e.Code] = e
		}
	}
	return all
}

// All returns every entry, sorted by code.
func All() []Entry {
	out := make([]Entry, 0, len(catalogue))
	for _, e := range catalogue {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(a.Code, b.Code) })
	return out
}

package fault

var hsmEntries = []Entry{}

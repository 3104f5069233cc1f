package fault

var pkiEntries = []Entry{}

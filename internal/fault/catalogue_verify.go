package fault

var verifyEntries = []Entry{}

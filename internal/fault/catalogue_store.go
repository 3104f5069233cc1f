package fault

var storeEntries = []Entry{}

package fault

var xmlEntries = []Entry{}

package fault

var accessEntries = []Entry{}

package fault

var paymentsEntries = []Entry{}

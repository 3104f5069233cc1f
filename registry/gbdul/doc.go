// Package gbdul asks ГБД ЮЛ, the state register of legal entities, for one
// organisation by its BIN: service GbdulInfoByBin_v2 through ШЭП.
//
// What it states comes from a payload that the register itself signed, not
// from the gateway's word. It tells three things apart that are easily taken
// for one another: the organisation is not registered; the register answered
// something unusable; nobody answered. Only the first is a finding.
//
// It reads what authority needs (status, liquidation, head, kind) and what
// people are shown (names). Founders, addresses and the rest stay in the raw
// answer, which the caller keeps. It caches and retries nothing. Non-resident
// individual entrepreneurs (IpsNerezident) and branches' reports are not there
// yet.
//
// Called by registry; imports internal/shep and below.
package gbdul

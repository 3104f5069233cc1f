// Package money holds amounts of tenge as whole tiyn (1/100 KZT), their
// checked arithmetic, their text forms, and rates applied under named
// rounding rules.
//
// There is no amount in another currency: a foreign price becomes tenge where
// it enters, at the National Bank's rate of one day, which is locked and kept
// with the result (Exchange, Lock). Tolerance says what a payment means for a
// debt; it posts nothing. There are no floats, and no operation wraps around:
// a sum that does not fit is an error.
//
// Any package of floor 4 and above may import it; it imports only
// internal/fault and internal/kz.
package money

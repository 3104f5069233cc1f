// Package money holds amounts of tenge as whole tiyn (1/100 KZT), their
// checked arithmetic, their text forms, and rates applied under named
// rounding rules.
//
// It knows no other currency: a foreign amount becomes tenge where it enters,
// at a rate that is kept with it. There are no floats, and no operation wraps
// around: a sum that does not fit is an error.
//
// Any package of floor 4 and above may import it; it imports only
// internal/fault.
package money

// Package hsmtest gives tests PKCS#11 tokens to sign with: a fresh SoftHSM2 token,
// opencryptoki's soft token, a virtual PIV card that can be pulled out, and a
// scripted module that says and does what a test tells it to. All are driven
// through package hsm as a hardware token would be, and skip the test where they
// cannot run. Only tests import it.
package hsmtest

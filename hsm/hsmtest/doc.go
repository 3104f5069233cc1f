// Package hsmtest gives tests a PKCS#11 token of their own: a fresh SoftHSM2
// token in a temporary folder, driven through package hsm as a hardware token
// would be. Only tests import it.
package hsmtest

package hsm

/*
#include <dlfcn.h>
#include <stdlib.h>

typedef unsigned long (*login_t)(unsigned long, unsigned long, const void *, unsigned long);
typedef unsigned long (*init_pin_t)(unsigned long, const void *, unsigned long);
typedef unsigned long (*init_token_t)(unsigned long, const void *, unsigned long, const void *);

// function_of finds a function of a library that is loaded, and stays so.
static void *function_of(const char *path, const char *name) {
	void *library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	void *function = library == NULL ? NULL : dlsym(library, name);
	if (library != NULL)
		dlclose(library); // gives back the reference that dlopen took
	return function;
}

static unsigned long call_login(void *f, unsigned long session, unsigned long user, const void *pin, unsigned long length) {
	return ((login_t)f)(session, user, pin, length);
}

static unsigned long call_init_pin(void *f, unsigned long session, const void *pin, unsigned long length) {
	return ((init_pin_t)f)(session, pin, length);
}

static unsigned long call_init_token(void *f, unsigned long slot, const void *pin, unsigned long length, const void *label) {
	return ((init_token_t)f)(slot, pin, length, label);
}
*/
import "C"

import (
	"unsafe"

	"github.com/miekg/pkcs11"
)

// loaded is a shared object. Where a PIN goes to it, it is given our own buffer,
// which is wiped afterwards: the binding gives a copy that nobody wipes.
type loaded struct {
	*pkcs11.Ctx
	login, initPIN, initToken unsafe.Pointer // nil where the library does not export it
}

func newLoaded(path string, ctx *pkcs11.Ctx) *loaded {
	file := C.CString(path)
	defer C.free(unsafe.Pointer(file))
	find := func(name string) unsafe.Pointer {
		function := C.CString(name)
		defer C.free(unsafe.Pointer(function))
		return C.function_of(file, function)
	}
	return &loaded{ctx, find("C_Login"), find("C_InitPIN"), find("C_InitToken")}
}

// secretOf is where the bytes of a PIN are, and how many.
func secretOf(pin string) (unsafe.Pointer, C.ulong) {
	return unsafe.Pointer(unsafe.StringData(pin)), C.ulong(len(pin))
}

func returned(rv C.ulong) error {
	if rv == pkcs11.CKR_OK {
		return nil
	}
	return pkcs11.Error(rv)
}

// Login is C_Login.
func (l *loaded) Login(session pkcs11.SessionHandle, userType uint, pin string) error {
	if l.login == nil || pin == "" {
		return l.Ctx.Login(session, userType, pin)
	}
	secret, length := secretOf(pin)
	return returned(C.call_login(l.login, C.ulong(session), C.ulong(userType), secret, length))
}

// InitPIN is C_InitPIN.
func (l *loaded) InitPIN(session pkcs11.SessionHandle, pin string) error {
	if l.initPIN == nil || pin == "" {
		return l.Ctx.InitPIN(session, pin)
	}
	secret, length := secretOf(pin)
	return returned(C.call_init_pin(l.initPIN, C.ulong(session), secret, length))
}

// InitToken is C_InitToken. The label is filled up with blanks (PKCS#11 v2.40 §5.5).
func (l *loaded) InitToken(slot uint, pin, label string) error {
	if l.initToken == nil || pin == "" {
		return l.Ctx.InitToken(slot, pin, label)
	}
	var padded [labelBytesMax]byte
	for i := copy(padded[:], label); i < len(padded); i++ {
		padded[i] = ' '
	}
	secret, length := secretOf(pin)
	return returned(C.call_init_token(l.initToken, C.ulong(slot), secret, length, unsafe.Pointer(&padded[0])))
}

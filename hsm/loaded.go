package hsm

/*
#include <dlfcn.h>
#include <stdlib.h>

typedef unsigned long (*login_t)(unsigned long, unsigned long, const void *, unsigned long);
typedef unsigned long (*init_pin_t)(unsigned long, const void *, unsigned long);
typedef unsigned long (*init_token_t)(unsigned long, const void *, unsigned long, const void *);

// mechanism_t is CK_MECHANISM.
typedef struct {
	unsigned long mechanism;
	const void *parameter;
	unsigned long length;
} mechanism_t;

typedef unsigned long (*sign_init_t)(unsigned long, mechanism_t *, unsigned long);
typedef unsigned long (*sign_t)(unsigned long, const void *, unsigned long, void *, unsigned long *);

typedef struct {
	unsigned long rv, length; // what the last function that was called returned, and the signature's length
	int begun;                // C_SignInit succeeded
} signed_t;

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

static signed_t call_sign(void *init, void *sign, unsigned long session,
		unsigned long mechanism, const void *parameter, unsigned long parameter_length, unsigned long key,
		const void *data, unsigned long data_length, void *signature, unsigned long size) {
	mechanism_t m = {mechanism, parameter, parameter_length};
	signed_t s = {((sign_init_t)init)(session, &m, key), size, 0};
	if (s.rv == 0) {
		s.begun = 1;
		s.rv = ((sign_t)sign)(session, data, data_length, signature, &s.length);
	}
	return s;
}

static unsigned long call_init_token(void *f, unsigned long slot, const void *pin, unsigned long length, const void *label) {
	return ((init_token_t)f)(slot, pin, length, label);
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/miekg/pkcs11"
)

// loaded is a shared object. Where a PIN goes to it, it is given our own buffer,
// which is wiped afterwards: the binding gives a copy that nobody wipes. A signature
// whose length is known is made by one step into the library, where the binding
// takes three and asks for the length first.
type loaded struct {
	*pkcs11.Ctx
	// nil where the library does not export it
	login, initPIN, initToken, signInit, sign unsafe.Pointer
}

func newLoaded(path string, ctx *pkcs11.Ctx) *loaded {
	file := C.CString(path)
	defer C.free(unsafe.Pointer(file))
	find := func(name string) unsafe.Pointer {
		function := C.CString(name)
		defer C.free(unsafe.Pointer(function))
		return C.function_of(file, function)
	}
	return &loaded{ctx, find("C_Login"), find("C_InitPIN"), find("C_InitToken"), find("C_SignInit"), find("C_Sign")}
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

// SignWith is C_SignInit and C_Sign. One that wants a larger buffer than the
// signature can be is CKR_BUFFER_TOO_SMALL.
func (l *loaded) SignWith(session pkcs11.SessionHandle, m *pkcs11.Mechanism, key pkcs11.ObjectHandle, data []byte, size int) ([]byte, error) {
	if l.signInit == nil || l.sign == nil || len(data) == 0 {
		return l.signBySteps(session, m, key, data)
	}
	signature := make([]byte, size)
	s := C.call_sign(l.signInit, l.sign, C.ulong(session),
		C.ulong(m.Mechanism), unsafe.Pointer(unsafe.SliceData(m.Parameter)), C.ulong(len(m.Parameter)), C.ulong(key),
		unsafe.Pointer(unsafe.SliceData(data)), C.ulong(len(data)), unsafe.Pointer(unsafe.SliceData(signature)), C.ulong(size))
	switch {
	case s.begun == 0:
		return nil, fmt.Errorf("C_SignInit: %w", pkcs11.Error(s.rv))
	case s.rv != pkcs11.CKR_OK:
		return nil, fmt.Errorf("C_Sign: %w", pkcs11.Error(s.rv))
	}
	return signature[:min(int(s.length), size)], nil
}

// signBySteps goes through the binding.
func (l *loaded) signBySteps(session pkcs11.SessionHandle, m *pkcs11.Mechanism, key pkcs11.ObjectHandle, data []byte) ([]byte, error) {
	if err := l.Ctx.SignInit(session, []*pkcs11.Mechanism{m}, key); err != nil {
		return nil, fmt.Errorf("C_SignInit: %w", err)
	}
	signature, err := l.Ctx.Sign(session, data)
	if err != nil {
		return nil, fmt.Errorf("C_Sign: %w", err)
	}
	return signature, nil
}

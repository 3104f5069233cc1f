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

// function_list_t is CK_FUNCTION_LIST: the functions in the order of PKCS#11 v2.40
// section 6.
typedef struct {
	unsigned char version[2];
	void *function[68];
} function_list_t;

enum { INIT_TOKEN = 9, INIT_PIN = 10, LOGIN = 18, SIGN_INIT = 42, SIGN = 43 };

typedef unsigned long (*get_function_list_t)(function_list_t **);

// functions_of gives the functions of a library that is loaded, and stays so; or
// NULL if it does not tell them.
static void **functions_of(const char *path) {
	function_list_t *list = NULL;
	void *library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	get_function_list_t get = library == NULL ? NULL : (get_function_list_t)dlsym(library, "C_GetFunctionList");
	if (get == NULL || get(&list) != 0)
		list = NULL;
	if (library != NULL)
		dlclose(library); // gives back the reference that dlopen took
	return list == NULL ? NULL : list->function;
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

	"github.com/senim-kz/senim/internal/fault"
)

// loaded is a shared object. Where a PIN goes to it, it is given our own buffer,
// which is wiped afterwards: the binding gives a copy that nobody wipes. A signature
// whose length is known is made by one step into the library, where the binding
// takes three and asks for the length first.
type loaded struct {
	*pkcs11.Ctx
	login, initPIN, initToken, signInit, sign unsafe.Pointer
}

// called lists the places in CK_FUNCTION_LIST of the functions that Cryptoki has. Of
// the others some libraries leave out those that they do not support, which the
// standard forbids.
var called = []int{0, 1, 2, 4, 5, 6, 9, 10, 12, 13, 15, 18, 19, 20, 22, 24, 26, 27, 28, 42, 43, 59}

// newLoaded reads the list of functions that the binding uses. The binding does not
// check it: where a library gives none, or leaves a function out, it calls address 0.
func newLoaded(path string, ctx *pkcs11.Ctx) (*loaded, error) {
	file := C.CString(path)
	defer C.free(unsafe.Pointer(file))
	list := C.functions_of(file)
	if list == nil {
		return nil, fault.New(fault.HSMModuleUnusable, path, "the library does not give its functions (C_GetFunctionList)")
	}
	functions := unsafe.Slice(list, 68)
	for _, i := range called {
		if functions[i] == nil {
			return nil, fault.New(fault.HSMModuleUnusable, path, "function %d of the library is missing", i)
		}
	}
	return &loaded{ctx, functions[C.LOGIN], functions[C.INIT_PIN], functions[C.INIT_TOKEN], functions[C.SIGN_INIT], functions[C.SIGN]}, nil
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
	if pin == "" {
		return l.Ctx.Login(session, userType, pin)
	}
	secret, length := secretOf(pin)
	return returned(C.call_login(l.login, C.ulong(session), C.ulong(userType), secret, length))
}

// InitPIN is C_InitPIN.
func (l *loaded) InitPIN(session pkcs11.SessionHandle, pin string) error {
	if pin == "" {
		return l.Ctx.InitPIN(session, pin)
	}
	secret, length := secretOf(pin)
	return returned(C.call_init_pin(l.initPIN, C.ulong(session), secret, length))
}

// InitToken is C_InitToken. The label is filled up with blanks (PKCS#11 v2.40 §5.5).
func (l *loaded) InitToken(slot uint, pin, label string) error {
	if pin == "" {
		return l.Ctx.InitToken(slot, pin, label)
	}
	var padded [labelBytesMax]byte
	for i := copy(padded[:], label); i < len(padded); i++ {
		padded[i] = ' '
	}
	secret, length := secretOf(pin)
	return returned(C.call_init_token(l.initToken, C.ulong(slot), secret, length, unsafe.Pointer(&padded[0])))
}

// SignWith is C_SignInit and C_Sign. A library that wants more room than size, which
// no signature of the key exceeds, fails with CKR_BUFFER_TOO_SMALL.
func (l *loaded) SignWith(session pkcs11.SessionHandle, m *pkcs11.Mechanism, key pkcs11.ObjectHandle, data []byte, size int) ([]byte, error) {
	if len(data) == 0 {
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
	case s.length > C.ulong(size):
		return nil, fault.New(fault.HSMFailed, "", "C_Sign: a signature of %d bytes, where there was room for %d", uint64(s.length), size)
	}
	return signature[:s.length], nil
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

package hsm

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

typedef unsigned long (*initialize_t)(void *);

// initialize_without_locks calls C_Initialize(NULL_PTR) of a library that is
// loaded. found is 0 where there is none.
static unsigned long initialize_without_locks(const char *path, int *found) {
	unsigned long rv = 0;
	void *library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	initialize_t initialize = library == NULL ? NULL : (initialize_t)dlsym(library, "C_Initialize");
	*found = initialize != NULL;
	if (initialize != NULL)
		rv = initialize(NULL);
	if (library != NULL)
		dlclose(library); // gives back the reference that dlopen took
	return rv;
}
*/
import "C"

import (
	"unsafe"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

// initializeWithoutLocks is C_Initialize(NULL_PTR) (PKCS#11 v2.40 §5.4): the
// library is told that one thread at a time calls it, and that it needs no locks.
// The binding always passes arguments, and OpenSC then makes locks whatever they
// say.
func initializeWithoutLocks(path string) error {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var found C.int
	rv := C.initialize_without_locks(name, &found)
	switch {
	case found == 0:
		return fault.New(fault.HSMModuleUnusable, path, "the library has no C_Initialize")
	case rv != pkcs11.CKR_OK:
		return pkcs11.Error(rv)
	}
	return nil
}

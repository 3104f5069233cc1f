package hsm

import (
	"errors"
	"fmt"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

func TestEveryReturnValueHasACatalogueCode(t *testing.T) {
	known := map[fault.Code]bool{}
	for _, e := range fault.All() {
		known[e.Code] = true
	}
	for rv, m := range returnValues {
		if !known[m.code] {
			t.Errorf("%v: code %q is not in the catalogue", rv, m.code)
		}
		// A lost device is worth another try and never the client's fault; a
		// refused PIN must not look as if it were worth one.
		switch class := m.code.Class(); {
		case m.action == latch && class != fault.Fatal:
			t.Errorf("%v is latched and classed %v", rv, class)
		case class != fault.Fatal && class != fault.RetryLater:
			t.Errorf("%v is classed %v", rv, class)
		}
	}
}

func TestExplain(t *testing.T) {
	rows := []struct {
		rv   uint
		code fault.Code
	}{
		{pkcs11.CKR_DEVICE_REMOVED, fault.HSMUnavailable},
		{pkcs11.CKR_PIN_INCORRECT, fault.PINRefused},
		{pkcs11.CKR_SESSION_COUNT, fault.HSMBusy},
		{pkcs11.CKR_MECHANISM_INVALID, fault.HSMRefused},
		{pkcs11.CKR_SIGNATURE_INVALID, fault.HSMFailed},
		{0x80000001, fault.HSMFailed}, // a vendor's own
	}
	for _, row := range rows {
		err := fmt.Errorf("sign receipt: %w", explain("C_Sign", pkcs11.Error(row.rv)))
		if !fault.Is(err, row.code) {
			t.Errorf("%#x: %v", row.rv, err)
		}
		if !errors.Is(err, pkcs11.Error(row.rv)) {
			t.Errorf("%#x: the return value is lost", row.rv)
		}
	}
	if explain("C_Sign", nil) != nil {
		t.Error("success was explained")
	}
}

package hsm

import (
	"errors"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

// action is what the package itself does about a return value before it reports
// it. Every action is taken at most once per call.
type action uint8

const (
	giveUp         action = iota
	replaceSession        // the session is dead: drop the idle ones too and open another
	findAgain             // the handle is stale: look the key up by its CKA_ID
	logIn                 // the token forgot the login
	latch                 // never again until an operator has acted
)

// meaning of a CK_RV.
type meaning struct {
	code   fault.Code
	action action
}

// returnValues is the one table of what a CK_RV (PKCS#11 v2.40 §5.1.6, with the
// habits of modules recorded in practice) means for the caller and for us. What
// is not listed is hsm_failed.
var returnValues = map[pkcs11.Error]meaning{
	pkcs11.CKR_SESSION_HANDLE_INVALID: {fault.HSMUnavailable, replaceSession},
	pkcs11.CKR_SESSION_CLOSED:         {fault.HSMUnavailable, replaceSession},
	pkcs11.CKR_KEY_HANDLE_INVALID:     {fault.HSMUnavailable, findAgain},
	pkcs11.CKR_OBJECT_HANDLE_INVALID:  {fault.HSMUnavailable, findAgain},
	pkcs11.CKR_USER_NOT_LOGGED_IN:     {fault.HSMUnavailable, logIn},

	// The token or the module is gone, or in a state that only time or an
	// operator changes.
	pkcs11.CKR_DEVICE_REMOVED:           {fault.HSMUnavailable, giveUp},
	pkcs11.CKR_TOKEN_NOT_PRESENT:        {fault.HSMUnavailable, giveUp},
	pkcs11.CKR_TOKEN_NOT_RECOGNIZED:     {fault.HSMUnavailable, giveUp},
	pkcs11.CKR_SLOT_ID_INVALID:          {fault.HSMUnavailable, giveUp},
	pkcs11.CKR_DEVICE_ERROR:             {fault.HSMUnavailable, giveUp},
	pkcs11.CKR_DEVICE_MEMORY:            {fault.HSMUnavailable, giveUp},
	pkcs11.CKR_HOST_MEMORY:              {fault.HSMUnavailable, giveUp},
	pkcs11.CKR_GENERAL_ERROR:            {fault.HSMUnavailable, giveUp},
	pkcs11.CKR_FUNCTION_FAILED:          {fault.HSMUnavailable, giveUp},
	pkcs11.CKR_FUNCTION_CANCELED:        {fault.HSMUnavailable, giveUp},
	pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED: {fault.HSMUnavailable, giveUp},

	pkcs11.CKR_SESSION_COUNT:                  {fault.HSMBusy, giveUp},
	pkcs11.CKR_OPERATION_ACTIVE:               {fault.HSMBusy, replaceSession},
	pkcs11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN: {fault.HSMBusy, giveUp},
	pkcs11.CKR_SESSION_READ_WRITE_SO_EXISTS:   {fault.HSMBusy, giveUp},

	pkcs11.CKR_PIN_INCORRECT:            {fault.PINRefused, latch},
	pkcs11.CKR_PIN_INVALID:              {fault.PINRefused, latch},
	pkcs11.CKR_PIN_LEN_RANGE:            {fault.PINRefused, latch},
	pkcs11.CKR_PIN_EXPIRED:              {fault.PINRefused, latch},
	pkcs11.CKR_PIN_LOCKED:               {fault.PINRefused, latch},
	pkcs11.CKR_USER_PIN_NOT_INITIALIZED: {fault.PINRefused, latch},

	// The token understood and will not.
	pkcs11.CKR_MECHANISM_INVALID:          {fault.HSMRefused, giveUp},
	pkcs11.CKR_MECHANISM_PARAM_INVALID:    {fault.HSMRefused, giveUp},
	pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED: {fault.HSMRefused, giveUp},
	pkcs11.CKR_KEY_TYPE_INCONSISTENT:      {fault.HSMRefused, giveUp},
	pkcs11.CKR_KEY_SIZE_RANGE:             {fault.HSMRefused, giveUp},
	pkcs11.CKR_DATA_INVALID:               {fault.HSMRefused, giveUp},
	pkcs11.CKR_DATA_LEN_RANGE:             {fault.HSMRefused, giveUp},
	pkcs11.CKR_ATTRIBUTE_READ_ONLY:        {fault.HSMRefused, giveUp},
	pkcs11.CKR_ATTRIBUTE_SENSITIVE:        {fault.HSMRefused, giveUp},
	pkcs11.CKR_ATTRIBUTE_TYPE_INVALID:     {fault.HSMRefused, giveUp},
	pkcs11.CKR_ATTRIBUTE_VALUE_INVALID:    {fault.HSMRefused, giveUp},
	pkcs11.CKR_TEMPLATE_INCOMPLETE:        {fault.HSMRefused, giveUp},
	pkcs11.CKR_TEMPLATE_INCONSISTENT:      {fault.HSMRefused, giveUp},
	pkcs11.CKR_DOMAIN_PARAMS_INVALID:      {fault.HSMRefused, giveUp},
	pkcs11.CKR_SESSION_READ_ONLY:          {fault.HSMRefused, giveUp},
	pkcs11.CKR_TOKEN_WRITE_PROTECTED:      {fault.HSMRefused, giveUp},
	pkcs11.CKR_FUNCTION_NOT_SUPPORTED:     {fault.HSMRefused, giveUp},
}

// meaningOf returns what err asks for; an error that no module returned asks
// for nothing.
func meaningOf(err error) meaning {
	var rv pkcs11.Error
	if !errors.As(err, &rv) {
		return meaning{}
	}
	if m, listed := returnValues[rv]; listed {
		return m
	}
	return meaning{code: fault.HSMFailed}
}

// explain gives the return value of a PKCS#11 call its code. The text is the
// module's own constant (CKR_…) and carries no data.
func explain(call string, err error) error {
	if err == nil {
		return nil
	}
	code := meaningOf(err).code
	if code == "" {
		code = fault.HSMFailed
	}
	return fault.Wrap(err, code, "", "%s", call)
}

// isAbsent tells a token that is not in its slot from one that fails.
func isAbsent(err error) bool {
	var rv pkcs11.Error
	return errors.As(err, &rv) &&
		(rv == pkcs11.CKR_TOKEN_NOT_PRESENT || rv == pkcs11.CKR_DEVICE_REMOVED || rv == pkcs11.CKR_TOKEN_NOT_RECOGNIZED)
}

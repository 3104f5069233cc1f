package hsm

import (
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

// action is what the package itself does about a return value. Within one call
// each action is taken at most once, so that every call ends; waitForSession ends
// with the call's context.
type action uint8

const (
	// report: nothing can be done here; the caller is told.
	report action = iota
	// retryOnNewSession: the session is dead. It is dropped with all that are
	// as old, another is opened, the call is made again.
	retryOnNewSession
	// waitForSession: the token has no more sessions. The call waits for one of
	// ours to come back, as long as its context says.
	waitForSession
	// findAgain: the handle is stale, and whatever else the token told us may be.
	// On a new session, the key is looked up by its CKA_ID, its public key
	// compared, the call made again.
	findAgain
	// logIn: the token forgot the login. A new session logs in and the call is
	// made again; a key that is still refused wants a login for each signature
	// (CKA_ALWAYS_AUTHENTICATE) and gets it, C_Login(CKU_CONTEXT_SPECIFIC).
	logIn
	// waitForToken: the token is away. The call fails, to be made again later;
	// meanwhile the token is looked for by its serial number.
	waitForToken
	// restartModule: the module or the device is in disorder. The call is made
	// again on a new session; if that fails too, the token is taken out of use
	// and examined, and the module restarted if that does not help, at most once
	// in restartEvery.
	restartModule
	// latch: the PIN. Nothing is tried again until an operator has acted.
	latch

	actionCount
)

// meaning of a CK_RV.
type meaning struct {
	code   fault.Code
	action action
}

// returnValues is the one table of what a CK_RV (PKCS#11 v2.40 §5.1) means for
// the caller and for us, with the habits of modules met in practice. What is not
// listed, a vendor's own value among it, is hsm_failed and reported.
var returnValues = map[pkcs11.Error]meaning{
	// The session. Modules also end one when a token was pulled out and is back
	// (OpenSC: SESSION_HANDLE_INVALID), and after a time without work (YubiHSM).
	pkcs11.CKR_SESSION_HANDLE_INVALID:         {fault.HSMUnavailable, retryOnNewSession},
	pkcs11.CKR_SESSION_CLOSED:                 {fault.HSMUnavailable, retryOnNewSession},
	pkcs11.CKR_OPERATION_ACTIVE:               {fault.HSMUnavailable, retryOnNewSession},
	pkcs11.CKR_OPERATION_NOT_INITIALIZED:      {fault.HSMUnavailable, retryOnNewSession},
	pkcs11.CKR_FUNCTION_CANCELED:              {fault.HSMUnavailable, retryOnNewSession},
	pkcs11.CKR_SESSION_COUNT:                  {fault.HSMBusy, waitForSession},
	pkcs11.CKR_SESSION_READ_WRITE_SO_EXISTS:   {fault.HSMBusy, report},
	pkcs11.CKR_SESSION_READ_ONLY_EXISTS:       {fault.HSMBusy, report},
	pkcs11.CKR_SESSION_EXISTS:                 {fault.HSMBusy, report},
	pkcs11.CKR_SESSION_READ_ONLY:              {fault.HSMRefused, report},
	pkcs11.CKR_SESSION_PARALLEL_NOT_SUPPORTED: {fault.HSMFailed, report},

	// The key. KEY_CHANGED and KEY_NEEDED are about C_SetOperationState.
	pkcs11.CKR_KEY_HANDLE_INVALID:         {fault.HSMUnavailable, findAgain},
	pkcs11.CKR_OBJECT_HANDLE_INVALID:      {fault.HSMUnavailable, findAgain},
	pkcs11.CKR_KEY_CHANGED:                {fault.HSMFailed, report},
	pkcs11.CKR_KEY_NEEDED:                 {fault.HSMFailed, report},
	pkcs11.CKR_KEY_NOT_NEEDED:             {fault.HSMFailed, report},
	pkcs11.CKR_KEY_SIZE_RANGE:             {fault.HSMRefused, report},
	pkcs11.CKR_KEY_TYPE_INCONSISTENT:      {fault.HSMRefused, report},
	pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED: {fault.HSMRefused, report},
	pkcs11.CKR_KEY_INDIGESTIBLE:           {fault.HSMRefused, report},
	pkcs11.CKR_KEY_NOT_WRAPPABLE:          {fault.HSMRefused, report},
	pkcs11.CKR_KEY_UNEXTRACTABLE:          {fault.HSMRefused, report},
	pkcs11.CKR_PUBLIC_KEY_INVALID:         {fault.HSMRefused, report},

	// The login.
	pkcs11.CKR_USER_NOT_LOGGED_IN:             {fault.HSMUnavailable, logIn},
	pkcs11.CKR_USER_ALREADY_LOGGED_IN:         {fault.HSMBusy, report}, // C_Login takes it for success
	pkcs11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN: {fault.HSMBusy, report},
	pkcs11.CKR_USER_TOO_MANY_TYPES:            {fault.HSMBusy, report},
	pkcs11.CKR_USER_TYPE_INVALID:              {fault.HSMRefused, report},

	// The PIN. Each attempt counts, three lock a real token.
	pkcs11.CKR_PIN_INCORRECT:            {fault.PINRefused, latch},
	pkcs11.CKR_PIN_INVALID:              {fault.PINRefused, latch},
	pkcs11.CKR_PIN_LEN_RANGE:            {fault.PINRefused, latch},
	pkcs11.CKR_PIN_EXPIRED:              {fault.PINRefused, latch},
	pkcs11.CKR_PIN_LOCKED:               {fault.PINRefused, latch},
	pkcs11.CKR_PIN_TOO_WEAK:             {fault.PINRefused, latch},
	pkcs11.CKR_USER_PIN_NOT_INITIALIZED: {fault.PINRefused, latch},
	pkcs11.CKR_NEW_PIN_MODE:             {fault.PINRefused, latch},
	pkcs11.CKR_NEXT_OTP:                 {fault.PINRefused, latch},

	// The token is not where it was.
	pkcs11.CKR_DEVICE_REMOVED:       {fault.HSMUnavailable, waitForToken},
	pkcs11.CKR_TOKEN_NOT_PRESENT:    {fault.HSMUnavailable, waitForToken},
	pkcs11.CKR_TOKEN_NOT_RECOGNIZED: {fault.HSMUnavailable, waitForToken},
	pkcs11.CKR_SLOT_ID_INVALID:      {fault.HSMUnavailable, waitForToken},

	// The device or the module is in disorder. p11-kit's client says
	// DEVICE_ERROR for ever once its server has died.
	pkcs11.CKR_DEVICE_ERROR:             {fault.HSMUnavailable, restartModule},
	pkcs11.CKR_GENERAL_ERROR:            {fault.HSMUnavailable, restartModule},
	pkcs11.CKR_FUNCTION_FAILED:          {fault.HSMUnavailable, restartModule},
	pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED: {fault.HSMUnavailable, restartModule},
	pkcs11.CKR_MUTEX_BAD:                {fault.HSMUnavailable, restartModule},
	pkcs11.CKR_MUTEX_NOT_LOCKED:         {fault.HSMUnavailable, restartModule},

	// Out of something for a while.
	pkcs11.CKR_DEVICE_MEMORY: {fault.HSMUnavailable, report},
	pkcs11.CKR_HOST_MEMORY:   {fault.HSMUnavailable, report},
	pkcs11.CKR_CANCEL:        {fault.HSMUnavailable, report},

	// The token understood, and will not.
	pkcs11.CKR_MECHANISM_INVALID:         {fault.HSMRefused, report},
	pkcs11.CKR_MECHANISM_PARAM_INVALID:   {fault.HSMRefused, report},
	pkcs11.CKR_DATA_INVALID:              {fault.HSMRefused, report},
	pkcs11.CKR_DATA_LEN_RANGE:            {fault.HSMRefused, report},
	pkcs11.CKR_ATTRIBUTE_READ_ONLY:       {fault.HSMRefused, report},
	pkcs11.CKR_ATTRIBUTE_SENSITIVE:       {fault.HSMRefused, report},
	pkcs11.CKR_ATTRIBUTE_TYPE_INVALID:    {fault.HSMRefused, report},
	pkcs11.CKR_ATTRIBUTE_VALUE_INVALID:   {fault.HSMRefused, report},
	pkcs11.CKR_TEMPLATE_INCOMPLETE:       {fault.HSMRefused, report},
	pkcs11.CKR_TEMPLATE_INCONSISTENT:     {fault.HSMRefused, report},
	pkcs11.CKR_DOMAIN_PARAMS_INVALID:     {fault.HSMRefused, report},
	pkcs11.CKR_CURVE_NOT_SUPPORTED:       {fault.HSMRefused, report},
	pkcs11.CKR_TOKEN_WRITE_PROTECTED:     {fault.HSMRefused, report},
	pkcs11.CKR_FUNCTION_NOT_SUPPORTED:    {fault.HSMRefused, report},
	pkcs11.CKR_FUNCTION_REJECTED:         {fault.HSMRefused, report}, // nobody touched the token
	pkcs11.CKR_ACTION_PROHIBITED:         {fault.HSMRefused, report},
	pkcs11.CKR_INFORMATION_SENSITIVE:     {fault.HSMRefused, report},
	pkcs11.CKR_EXCEEDED_MAX_ITERATIONS:   {fault.HSMRefused, report},
	pkcs11.CKR_RANDOM_NO_RNG:             {fault.HSMRefused, report},
	pkcs11.CKR_RANDOM_SEED_NOT_SUPPORTED: {fault.HSMRefused, report},

	// A signature longer than its key's can be. What was begun goes on in the
	// session (PKCS#11 v2.40 §5.2).
	pkcs11.CKR_BUFFER_TOO_SMALL: {fault.HSMFailed, retryOnNewSession},

	// No operator's patience helps.
	pkcs11.CKR_FIPS_SELF_TEST_FAILED:        {fault.HSMFailed, report},
	pkcs11.CKR_LIBRARY_LOAD_FAILED:          {fault.HSMFailed, report},
	pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED: {fault.HSMFailed, report},
	pkcs11.CKR_NEED_TO_CREATE_THREADS:       {fault.HSMFailed, report},
	pkcs11.CKR_CANT_LOCK:                    {fault.HSMFailed, report},
	pkcs11.CKR_ARGUMENTS_BAD:                {fault.HSMFailed, report},
	pkcs11.CKR_FUNCTION_NOT_PARALLEL:        {fault.HSMFailed, report},
	pkcs11.CKR_NO_EVENT:                     {fault.HSMFailed, report},

	// Of functions that are not called here.
	pkcs11.CKR_SIGNATURE_INVALID:                {fault.HSMFailed, report},
	pkcs11.CKR_SIGNATURE_LEN_RANGE:              {fault.HSMFailed, report},
	pkcs11.CKR_ENCRYPTED_DATA_INVALID:           {fault.HSMFailed, report},
	pkcs11.CKR_ENCRYPTED_DATA_LEN_RANGE:         {fault.HSMFailed, report},
	pkcs11.CKR_WRAPPED_KEY_INVALID:              {fault.HSMFailed, report},
	pkcs11.CKR_WRAPPED_KEY_LEN_RANGE:            {fault.HSMFailed, report},
	pkcs11.CKR_WRAPPING_KEY_HANDLE_INVALID:      {fault.HSMFailed, report},
	pkcs11.CKR_WRAPPING_KEY_SIZE_RANGE:          {fault.HSMFailed, report},
	pkcs11.CKR_WRAPPING_KEY_TYPE_INCONSISTENT:   {fault.HSMFailed, report},
	pkcs11.CKR_UNWRAPPING_KEY_HANDLE_INVALID:    {fault.HSMFailed, report},
	pkcs11.CKR_UNWRAPPING_KEY_SIZE_RANGE:        {fault.HSMFailed, report},
	pkcs11.CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT: {fault.HSMFailed, report},
	pkcs11.CKR_SAVED_STATE_INVALID:              {fault.HSMFailed, report},
	pkcs11.CKR_STATE_UNSAVEABLE:                 {fault.HSMFailed, report},
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

// isUnknown tells a value that is not listed: a vendor's own.
func isUnknown(err error) bool {
	var rv pkcs11.Error
	if !errors.As(err, &rv) {
		return false
	}
	_, listed := returnValues[rv]
	return !listed
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

// nameOf is the name of the return value in err, for metrics: a closed set,
// CKR_VENDOR_DEFINED standing for every value that has no name. It is empty
// where no module returned the error.
func nameOf(err error) string {
	var rv pkcs11.Error
	if !errors.As(err, &rv) {
		return ""
	}
	var number uint
	var name string
	if n, _ := fmt.Sscanf(rv.Error(), "pkcs11: 0x%X: %s", &number, &name); n != 2 {
		return "CKR_VENDOR_DEFINED"
	}
	return name
}

// isAbsent tells a token that is not in its slot from one that fails.
func isAbsent(err error) bool { return meaningOf(err).action == waitForToken }

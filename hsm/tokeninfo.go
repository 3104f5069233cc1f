package hsm

import (
	"errors"
	"strings"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

// tokensMax bounds a module's slot list: a module that reports more is broken.
const tokensMax = 4096

// TokenInfo describes a token and the slot it is in.
type TokenInfo struct {
	Label        string `json:"label"`
	Manufacturer string `json:"manufacturer"`
	Model        string `json:"model"`
	Serial       string `json:"serial"`

	SlotID           uint   `json:"slot_id"`
	SlotDescription  string `json:"slot_description"`
	SlotManufacturer string `json:"slot_manufacturer"`

	Initialized bool `json:"initialized"`
	// Software is true for a token whose keys are files on this machine's disk.
	Software bool `json:"software"`

	sessionsMax   uint // 0 when the token states no limit
	loginRequired bool
	// generation of the module in which SlotID is the token's slot: the numbers
	// may be others after C_Initialize (PKCS#11 v2.40 §5.5, C_GetSlotList).
	generation uint64
}

// softwareTokens lists the makers whose tokens live in ordinary files.
var softwareTokens = []struct{ manufacturer, model string }{
	{"SoftHSM", ""},
	{"IBM", "Soft"},     // opencryptoki's soft token
	{"IBM", "IBM Soft"}, // and its older name
	{"Mozilla", ""},     // NSS softokn
	{"Kryoptic", ""},
	{"GnuTLS", ""},
	{"", "SoftHSM"},
}

func isSoftware(manufacturer, model string) bool {
	for _, row := range softwareTokens {
		if strings.HasPrefix(manufacturer, row.manufacturer) && strings.HasPrefix(model, row.model) {
			return true
		}
	}
	return false
}

// identity names a token within its library for as long as the process lives.
// Slot numbers are not stable.
func (i TokenInfo) identity() string {
	return strings.Join([]string{i.Manufacturer, i.Model, i.Serial, i.Label}, "\x00")
}

// tokens lists the tokens present. One that does not say what it is must not hide
// the others: those are listed, beside its error.
func (l *library) tokens() ([]TokenInfo, error) {
	slots, err := l.ctx.GetSlotList(true)
	for tries := 0; tries < 3 && errors.Is(err, pkcs11.Error(pkcs11.CKR_BUFFER_TOO_SMALL)); tries++ {
		// A token came between the question how many there are and which.
		slots, err = l.ctx.GetSlotList(true)
	}
	if err != nil {
		return nil, explain("C_GetSlotList", err)
	}
	if len(slots) > tokensMax {
		return nil, fault.New(fault.HSMFailed, "", "the module reports %d tokens", len(slots))
	}
	var tokens []TokenInfo
	var errs []error
	for _, slot := range slots {
		info, err := l.tokenInfo(slot)
		if isAbsent(err) {
			continue // pulled out between the two calls
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		tokens = append(tokens, info)
	}
	return tokens, errors.Join(errs...)
}

func (l *library) tokenInfo(slot uint) (TokenInfo, error) {
	si, err := l.ctx.GetSlotInfo(slot)
	if err != nil {
		return TokenInfo{}, explain("C_GetSlotInfo", err)
	}
	ti, err := l.ctx.GetTokenInfo(slot)
	if err != nil {
		return TokenInfo{}, explain("C_GetTokenInfo", err)
	}
	info := TokenInfo{
		Label: unpad(ti.Label), Manufacturer: unpad(ti.ManufacturerID), Model: unpad(ti.Model), Serial: unpad(ti.SerialNumber),
		SlotID: slot, SlotDescription: unpad(si.SlotDescription), SlotManufacturer: unpad(si.ManufacturerID),
		Initialized:   ti.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0,
		loginRequired: ti.Flags&pkcs11.CKF_LOGIN_REQUIRED != 0,
		generation:    l.generation.Load(),
	}
	info.Software = isSoftware(info.Manufacturer, info.Model)
	// CK_EFFECTIVELY_INFINITE is 0 and CK_UNAVAILABLE_INFORMATION is all ones
	// (PKCS#11 v2.40 §3.2); opencryptoki reports 2^64-2 for "many".
	if n := ti.MaxSessionCount; n < 1<<31 {
		info.sessionsMax = n
	}
	return info, nil
}

// unpad strips the blanks, and the zero bytes of careless modules, that fill
// PKCS#11's fixed-length strings.
func unpad(s string) string { return strings.TrimRight(s, " \x00") }

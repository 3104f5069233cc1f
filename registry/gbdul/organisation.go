package gbdul

import (
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// Space is the namespace of the service's wrapper elements; what is inside is
// unqualified.
const Space = "http://gbdulinfobybin_v2.egp.gbdul.tamur.kz"

// State is the registration state that a RegStatus code stands for.
type State string

// The states. Unknown is a code that the configuration does not explain.
const (
	Unknown    State = ""
	Active     State = "active"
	Suspended  State = "suspended"
	Liquidated State = "liquidated"
)

// Kind of organisation, by OrgForm.
type Kind string

// The kinds: codes 1, 2 and 3 of OrgForm.
const (
	KindUnknown    Kind = ""
	Entity         Kind = "entity"
	Branch         Kind = "branch"
	Representative Kind = "representative"
)

var kinds = map[string]Kind{"1": Entity, "2": Branch, "3": Representative}

// DefaultStates explains the one RegStatus code that was seen in answers; the
// register's own list is not public. Others are configured as they are learnt.
func DefaultStates() map[string]State { return map[string]State{"1": Active} }

// Organisation is what the register says.
type Organisation struct {
	BIN              kz.BIN `json:"bin"`
	NameKK           string `json:"name_kk"`
	NameRU           string `json:"name_ru"`
	Kind             Kind   `json:"kind"`
	State            State  `json:"state"`
	StateCode        string `json:"state_code"`
	RegisteredOn     kz.Day `json:"registered_on"`
	ChangedOn        kz.Day `json:"changed_on,omitzero"`
	LiquidatedOn     kz.Day `json:"liquidated_on,omitzero"`
	TaxInactive      bool   `json:"tax_inactive"`
	Head             *Head  `json:"head,omitempty"`
	HeadOrganisation kz.BIN `json:"head_organisation,omitempty"` // of a branch
	Successor        kz.BIN `json:"successor,omitempty"`         // after reorganisation
	ActualOn         kz.Day `json:"actual_on,omitzero"`          // of the statistics committee's part
}

// Head is the first person of the organisation. IIN is "" when the register
// has none, as for some foreigners.
type Head struct {
	IIN   kz.IIN `json:"iin,omitempty"`
	Since kz.Day `json:"since,omitzero"` // IssueDate of the position
	Until kz.Day `json:"until,omitzero"` // LossDate: removed from office
}

// record reads an Organisation element and remembers the first thing wrong.
type record struct {
	states  map[string]State
	control kz.Control
	err     error
}

func (r *record) fail(at string, cause error) {
	if r.err == nil {
		r.err = fault.Wrap(cause, fault.RegisterAnswer, at, "read the register's record")
	}
}

func (r *record) organisation(e *xmldsig.Element) Organisation {
	status := r.code(e, "RegStatus")
	return Organisation{
		BIN:              r.bin(e, "BIN", true),
		NameKK:           r.once(e, "FullNameKz", false),
		NameRU:           r.once(e, "FullNameRu", false),
		Kind:             kinds[r.code(e, "OrgForm")],
		State:            r.states[status],
		StateCode:        status,
		RegisteredOn:     r.day(e, "RegistrationDate", true),
		ChangedOn:        r.day(e, "RegistrationLastDate", false),
		LiquidatedOn:     r.day(e, "LiquidationDate", false),
		TaxInactive:      r.flag(e, "TaxOrgStatus"),
		HeadOrganisation: r.bin(r.part(e, "HeaderOrganization"), "BIN", false),
		Successor:        r.bin(r.part(e, "Liquidation"), "BinReceiver", false),
		Head:             r.head(r.part(e, "OrganizationLeader")),
		ActualOn:         r.day(r.part(e, "StatCommInfo"), "ActualDate", false),
	}
}

func (r *record) head(e *xmldsig.Element) *Head {
	if e == nil {
		return nil
	}
	position := r.part(e, "Position")
	h := &Head{Since: r.day(position, "IssueDate", false), Until: r.day(position, "LossDate", false)}
	if text := r.once(e, "IIN", false); text != "" {
		iin, err := kz.ParseIIN(text, r.control)
		if err != nil {
			r.fail("OrganizationLeader/IIN", err)
		}
		h.IIN = iin
	}
	return h
}

// part returns the one element of this name, or nil if there is none: of two,
// a reader could choose the one without the date of loss.
func (r *record) part(e *xmldsig.Element, name string) *xmldsig.Element {
	if all := e.All("", name); len(all) > 1 {
		r.fail(name, fault.New(fault.RegisterAnswer, "", "%d elements", len(all)))
	}
	return e.Child("", name)
}

// code of a directory entry (Code, NameRu, NameKz), which must be there.
func (r *record) code(e *xmldsig.Element, name string) string {
	return r.once(r.part(e, name), "Code", true)
}

// once returns the text of the one element of this name.
func (r *record) once(e *xmldsig.Element, name string, required bool) string {
	all := e.All("", name)
	if len(all) > 1 || (required && len(all) == 0) {
		r.fail(name, fault.New(fault.RegisterAnswer, "", "%d elements", len(all)))
		return ""
	}
	text := value(e, name)
	if required && text == "" {
		r.fail(name, fault.New(fault.RegisterAnswer, "", "it is empty"))
	}
	return text
}

func (r *record) bin(e *xmldsig.Element, name string, required bool) kz.BIN {
	text := r.once(e, name, required)
	if text == "" {
		return ""
	}
	bin, err := kz.ParseBIN(text, r.control)
	if err != nil {
		r.fail(name, err)
	}
	return bin
}

func (r *record) day(e *xmldsig.Element, name string, required bool) kz.Day {
	text := r.once(e, name, required)
	if text == "" {
		return kz.Day{}
	}
	day, err := kz.ParseDay(text)
	if err != nil {
		r.fail(name, err)
	}
	return day
}

// flag reads an xs:boolean that must be there: that it is missing says nothing.
func (r *record) flag(e *xmldsig.Element, name string) bool {
	switch r.once(e, name, true) {
	case "1", "true":
		return true
	case "0", "false":
		return false
	}
	r.fail(name, fault.New(fault.RegisterAnswer, "", "not a boolean"))
	return false
}

func value(e *xmldsig.Element, name string) string {
	return strings.TrimSpace(e.Child("", name).Text())
}

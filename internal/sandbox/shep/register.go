package shep

import (
	"fmt"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// Organisation is one record of the register, in the register's own terms.
type Organisation struct {
	BIN              kz.BIN `json:"bin"`
	NameKK           string `json:"name_kk"`
	NameRU           string `json:"name_ru"`
	RegStatus        string `json:"reg_status"` // code; "" means 1, registered
	OrgForm          string `json:"org_form"`   // 1 entity, 2 branch, 3 representative office; "" means 1
	RegisteredOn     kz.Day `json:"registered_on"`
	LiquidatedOn     kz.Day `json:"liquidated_on,omitzero"`
	Successor        kz.BIN `json:"successor,omitempty"`
	TaxInactive      bool   `json:"tax_inactive,omitempty"`
	Head             *Head  `json:"head,omitempty"`
	HeadOrganisation kz.BIN `json:"head_organisation,omitempty"` // of a branch
}

// Head of an organisation.
type Head struct {
	IIN     kz.IIN `json:"iin"`
	Surname string `json:"surname"`
	Name    string `json:"name"`
	Since   kz.Day `json:"since"`
	Until   kz.Day `json:"until,omitzero"` // removed from office
}

func (o Organisation) check() error {
	if _, err := kz.ParseBIN(o.BIN.String(), kz.FormatOnly); err != nil {
		return err
	}
	if o.RegisteredOn.IsZero() {
		return fault.New(fault.BadArgument, "registered_on", "it is required")
	}
	return nil
}

// Space of the service's wrapper elements.
const gbdulSpace = "http://gbdulinfobybin_v2.egp.gbdul.tamur.kz"

// entry is a name in the register's directories.
type entry struct{ code, ru, kk string }

var (
	processed   = entry{"002", "Запрос обработан успешно", "Сұраныс сәтті өңделді"}
	department  = entry{"7111", "Управление регистрации (учебное)", "Тіркеу басқармасы (оқу)"}
	position    = entry{"1", "Директор", "Директор"}
	liquidation = entry{"1", "Решение собственника", "Меншік иесінің шешімі"}
	regStatuses = map[string]entry{
		"1": {"1", "Зарегистрирован", "Тіркелген"},
		"2": {"2", "Ликвидирован", "Таратылған"},
	}
	orgForms = map[string]entry{
		"1": {"1", "Юридическое лицо", "Заңды тұлға"},
		"2": {"2", "Филиал", "Филиал"},
		"3": {"3", "Представительство", "Өкілдік"},
	}
)

// choose finds the directory's entry; a code that is not in it is sent bare.
func choose(from map[string]entry, code string) entry {
	if code == "" {
		code = "1"
	}
	if e, ok := from[code]; ok {
		return e
	}
	return entry{code, code, code}
}

// page collects XML; the schema wants its elements in order.
type page struct{ strings.Builder }

func (p *page) text(name, value string) {
	fmt.Fprintf(p, "<%s>%s</%s>", name, xmldsig.EscapeText(value), name)
}

func (p *page) day(name string, day kz.Day) {
	if !day.IsZero() {
		p.text(name, day.String())
	}
}

func (p *page) entry(name string, e entry) {
	p.within(name, func() {
		p.text("Code", e.code)
		p.text("NameRu", e.ru)
		p.text("NameKz", e.kk)
	})
}

func (p *page) within(name string, inside func()) {
	p.WriteString("<" + name + ">")
	inside()
	p.WriteString("</" + name + ">")
}

// response writes the register's Response about one organisation, unsigned.
func (o Organisation) response() string {
	var p page
	p.WriteString(`<ns2:Response xmlns:ns2="` + gbdulSpace + `">`)
	p.entry("Status", processed)
	p.within("Organization", func() { o.write(&p) })
	p.WriteString(`</ns2:Response>`)
	return p.String()
}

func (o Organisation) write(p *page) {
	p.text("BIN", o.BIN.String())
	p.entry("RegStatus", choose(regStatuses, o.RegStatus))
	p.entry("RegistrationDepartment", department)
	p.day("RegistrationDate", o.RegisteredOn)
	p.day("LiquidationDate", o.LiquidatedOn)
	p.text("FullNameRu", o.NameRU)
	p.text("FullNameKz", o.NameKK)
	p.entry("OrgForm", choose(orgForms, o.OrgForm))
	inactive := "0"
	if o.TaxInactive {
		inactive = "1"
	}
	p.text("TaxOrgStatus", inactive)
	if !o.LiquidatedOn.IsZero() {
		p.within("Liquidation", func() {
			p.entry("LiqBase", liquidation)
			if o.Successor != "" {
				p.text("BinReceiver", o.Successor.String())
			}
		})
	}
	if o.Head != nil {
		p.within("OrganizationLeader", func() { o.Head.write(p) })
	}
	if o.HeadOrganisation != "" {
		p.within("HeaderOrganization", func() {
			p.text("BIN", o.HeadOrganisation.String())
			p.day("RegistrationLastDate", o.RegisteredOn)
			p.text("OrganizationNameRu", o.NameRU)
			p.text("OrganizationNameKz", o.NameKK)
		})
	}
}

func (h Head) write(p *page) {
	p.within("Position", func() {
		p.entry("PositionType", position)
		p.day("IssueDate", h.Since)
		p.day("LossDate", h.Until)
	})
	p.text("IIN", h.IIN.Digits())
	p.text("SurName", h.Surname)
	p.text("Name", h.Name)
}

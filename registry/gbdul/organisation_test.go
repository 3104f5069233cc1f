package gbdul

import (
	"strings"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/xmldsig"
)

const response = `<r:Response xmlns:r="` + Space + `"><Status><Code>002</Code></Status><Organization><BIN>260140990018</BIN>` +
	`<RegStatus><Code>1</Code></RegStatus><RegistrationDate>2026-01-12</RegistrationDate><FullNameRu>А</FullNameRu><FullNameKz>А</FullNameKz>` +
	`<OrgForm><Code>1</Code></OrgForm><TaxOrgStatus>0</TaxOrgStatus><OrganizationLeader><Position><IssueDate>2026-01-12</IssueDate></Position>` +
	`<IIN>850101400001</IIN></OrganizationLeader></Organization></r:Response>`

func parse(t testing.TB, text string) *xmldsig.Element {
	t.Helper()
	d, err := xmldsig.Parse([]byte(text), xmldsig.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return d.Root
}

// An answer that is signed and yet cannot be understood gives no organisation.
func TestResponseIsReadStrictly(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string
		code     fault.Code
	}{
		"whole":                {"", "", ""},
		"not registered":       {">002<", ">031<", ""},
		"not processed":        {">002<", ">005<", fault.RegisterStatus},
		"no status":            {"<Code>002</Code>", "", fault.RegisterStatus},
		"two statuses":         {"<Organization>", "<Status><Code>002</Code></Status><Organization>", fault.RegisterStatus},
		"another element":      {"r:Response", "r:Answer", fault.RegisterAnswer},
		"another namespace":    {Space, "urn:other", fault.RegisterAnswer},
		"no organisation":      {response[strings.Index(response, "<Organization>"):strings.Index(response, "</r:")], "", fault.ShepDataMissing},
		"non-resident":         {"<Organization>", "<IpsNerezident/><Organization>", fault.NotAvailable},
		"no BIN":               {"<BIN>260140990018</BIN>", "", fault.RegisterAnswer},
		"BIN wrong":            {"260140990018", "260140990019", fault.RegisterAnswer},
		"two BINs":             {"<BIN>", "<BIN>260140990206</BIN><BIN>", fault.RegisterAnswer},
		"IIN wrong":            {"850101400001", "850101400002", fault.RegisterAnswer},
		"two IINs":             {"<IIN>", "<IIN>050101500000</IIN><IIN>", fault.RegisterAnswer},
		"two heads":            {"<OrganizationLeader>", "<OrganizationLeader/><OrganizationLeader>", fault.RegisterAnswer},
		"date wrong":           {"2026-01-12</Issue", "12.01.2026</Issue", fault.RegisterAnswer},
		"two dates of loss":    {"</Position>", "<LossDate/><LossDate>2026-01-01</LossDate></Position>", fault.RegisterAnswer},
		"no registration date": {"<RegistrationDate>2026-01-12</RegistrationDate>", "", fault.RegisterAnswer},
		"no tax status":        {"<TaxOrgStatus>0</TaxOrgStatus>", "", fault.RegisterAnswer},
		"tax status wrong":     {"<TaxOrgStatus>0<", "<TaxOrgStatus>no<", fault.RegisterAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := Reader{}.response(parse(t, strings.ReplaceAll(response, c.old, c.new)))
			if fault.CodeOf(err) != c.code || (o != nil) != (name == "whole") {
				t.Errorf("%+v, %v; want %q", o, err, c.code)
			}
			if err != nil && (strings.Contains(err.Error(), "8501014") || strings.Contains(err.Error(), "0501015")) {
				t.Errorf("the error names a person: %v", err)
			}
		})
	}
}

// Two Position elements would leave it open whether the head was removed.
func TestDoubledContainersAreRefused(t *testing.T) {
	for _, name := range []string{"Position", "RegStatus", "OrgForm"} {
		text := strings.Replace(response, "<"+name+">", "<"+name+"/><"+name+">", 1)
		if o, err := (Reader{}).response(parse(t, text)); !fault.Is(err, fault.RegisterAnswer) {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte(response))
	f.Add([]byte(strings.Replace(response, "</Position>", "<LossDate>2026-11-10</LossDate></Position>", 1)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := xmldsig.Parse(raw, xmldsig.Limits{Bytes: 1 << 16})
		if err != nil {
			return
		}
		if o, err := (Reader{}).response(d.Root); err == nil && o != nil && (len(o.BIN) != 12 || o.RegisteredOn.IsZero()) {
			t.Fatalf("half a record: %+v", o)
		}
	})
}

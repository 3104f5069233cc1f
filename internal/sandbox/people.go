package sandbox

import (
	"crypto"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/nca"
	"github.com/senim-kz/senim/internal/sandbox/shep"
)

// The trading company of the demo.
const (
	CompanyBIN    kz.BIN = "190640017419"
	CompanyNameKK        = "«Дала Импорт» ЖШС"
	CompanyNameRU        = "ТОО «Дала Импорт»"
)

// The systems of the demo: each signs with a certificate of its own.
var (
	SingleWindow   = nca.Holder{System: "ИС «Senim» (стенд)", Organization: "Оператор единого окна (стенд)", BIN: "150340990002"}
	Gateway        = nca.Holder{System: "ШЭП (стенд)", Organization: "Оператор ШЭП (стенд)", BIN: "180140990000"}
	EntityRegister = nca.Holder{System: "ГБД ЮЛ (стенд)", Organization: "Оператор ГБД ЮЛ (стенд)", BIN: "210640990007"}
	Timestamps     = nca.Holder{System: "SENIM TIME-STAMPING AUTHORITY", Organization: "Оператор единого окна (стенд)"}
	PaymentGateway = nca.Holder{System: "ПШЭП (стенд)", Organization: "Оператор ПШЭП (стенд)", BIN: "150340990012"}
)

// Person is one of the people of the demo.
type Person string

// The people.
const (
	// Head heads the company in the register and by certificate.
	Head Person = "head"
	// Employee works there and holds no mandate.
	Employee Person = "employee"
	// Dismissed headed it before; the certificate is revoked as soon as it is
	// issued.
	Dismissed Person = "dismissed"
)

var people = map[Person]struct {
	profile nca.Profile
	holder  nca.Holder
	revoked bool
}{
	Head: {nca.Head, nca.Holder{Surname: "ҮЛГІБАЕВ", Name: "АРМАН", Patronymic: "СЫНАҚҰЛЫ", IIN: "800101300006",
		Organization: CompanyNameKK, BIN: CompanyBIN}, false},
	Employee: {nca.Employee, nca.Holder{Surname: "СЫНАҚОВА", Name: "ӘЛИЯ", Patronymic: "ҮЛГІҚЫЗЫ", IIN: "901111400000",
		Organization: CompanyNameKK, BIN: CompanyBIN}, false},
	Dismissed: {nca.Head, nca.Holder{Surname: "БҰРЫНБАЕВ", Name: "САМАТ", Patronymic: "СЫНАҚҰЛЫ", IIN: "850615300000",
		Organization: CompanyNameKK, BIN: CompanyBIN}, true},
}

// HolderOf tells who a person is.
func HolderOf(p Person) (nca.Holder, error) {
	row, known := people[p]
	if !known {
		return nca.Holder{}, fault.New(fault.BadArgument, "/person", "no such person")
	}
	return row.holder, nil
}

// IssuePerson certifies the key of a person's token by its PKCS#10 request.
func (s *Sandbox) IssuePerson(p Person, csr []byte) (*nca.Issued, error) {
	return s.issuePerson(p, nca.Request{KeyStore: nca.Kaztoken, CSR: csr})
}

// issuePerson fills in who it is.
func (s *Sandbox) issuePerson(p Person, r nca.Request) (*nca.Issued, error) {
	row, known := people[p]
	if !known {
		return nil, fault.New(fault.BadArgument, "/person", "no such person")
	}
	r.Profile, r.Holder = row.profile, row.holder
	issued, err := s.nca.Issue(r)
	if err != nil {
		return nil, err
	}
	if row.revoked {
		err = s.nca.Revoke(issued.Serial, nca.ReasonAffiliation)
	}
	return issued, err
}

// GOSTIdentity makes a software key of GOST for a person, with its certificate:
// PEM with the key (PKCS#8), the certificate and its chain, as a key file has them.
func (s *Sandbox) GOSTIdentity(p Person) ([]byte, error) {
	return softwareGOST(func(public crypto.PublicKey) (*nca.Issued, error) {
		return s.issuePerson(p, nca.Request{KeyStore: nca.PKCS12, PublicKey: public})
	})
}

// IssueTimestamping certifies a time-stamping key of the service by its PKCS#10
// request.
func (s *Sandbox) IssueTimestamping(csr []byte) (*nca.Issued, error) {
	return s.nca.Issue(nca.Request{Profile: nca.TimeStamping, Holder: Timestamps, CSR: csr})
}

// GOSTTimestamping makes a software key of GOST for the service's time-stamps:
// PEM, as GOSTIdentity gives it. No token that can be had signs with GOST.
func (s *Sandbox) GOSTTimestamping() ([]byte, error) {
	return softwareGOST(func(public crypto.PublicKey) (*nca.Issued, error) {
		return s.nca.Issue(nca.Request{Profile: nca.TimeStamping, Holder: Timestamps, PublicKey: public})
	})
}

// softwareGOST makes a key, has it certified, and writes both.
func softwareGOST(certify func(crypto.PublicKey) (*nca.Issued, error)) ([]byte, error) {
	key, err := nca.GenerateGOSTKey()
	if err != nil {
		return nil, fmt.Errorf("make a key of GOST: %w", err)
	}
	pkcs8, err := key.Marshal()
	if err != nil {
		return nil, err
	}
	issued, err := certify(key.Public())
	if err != nil {
		return nil, err
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	for _, der := range append([][]byte{issued.Certificate}, issued.Chain...) {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out, nil
}

// pathPeople is where a key is certified for one of the people, by name.
const pathPeople = pathControl + "people/"

// requestBytesMax bounds a PKCS#10 request; one for RSA-4096 takes 2 KiB as PEM.
const requestBytesMax = 16 << 10

// certifying takes PKCS#10 requests (DER or PEM) at POST /control/people/NAME and
// answers with the certificate as PEM: a trader's way to a signature that the
// service accepts, without the demo. POST /control/people/NAME/gost wants nothing
// and answers with a new software key of GOST and its certificate. Everything
// else goes to the NCA.
func (s *Sandbox) certifying(others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Not a ServeMux, which would clean the paths of OCSP's GET requests.
		name, ours := strings.CutPrefix(r.URL.Path, pathPeople)
		if !ours || r.Method != http.MethodPost {
			others.ServeHTTP(w, r)
			return
		}
		if person, wantsKey := strings.CutSuffix(name, "/gost"); wantsKey {
			identity, err := s.GOSTIdentity(Person(person))
			answerPEM(w, identity, err)
			return
		}
		csr, err := io.ReadAll(http.MaxBytesReader(w, r.Body, requestBytesMax))
		if err != nil {
			http.Error(w, "the request cannot be read", http.StatusRequestEntityTooLarge)
			return
		}
		if block, _ := pem.Decode(csr); block != nil {
			csr = block.Bytes
		}
		issued, err := s.IssuePerson(Person(name), csr)
		var text []byte
		if err == nil {
			text = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issued.Certificate})
		}
		answerPEM(w, text, err)
	})
}

func answerPEM(w http.ResponseWriter, text []byte, err error) {
	if err != nil {
		status := http.StatusInternalServerError
		if fault.CodeOf(err).Class() == fault.BadInput {
			status = http.StatusBadRequest
		}
		http.Error(w, err.Error(), status)
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(text) // whoever left gets no answer
}

// IssueSingleWindow certifies the key with which the service signs its messages
// to the state's systems.
func (s *Sandbox) IssueSingleWindow(csr []byte) (*nca.Issued, error) {
	return s.nca.Issue(nca.Request{Profile: nca.SingleWindow, Holder: SingleWindow, CSR: csr})
}

// company is the record of the register about the demo's company.
func company() shep.Organisation {
	head := people[Head].holder
	return shep.Organisation{
		BIN: CompanyBIN, NameKK: CompanyNameKK, NameRU: CompanyNameRU,
		RegisteredOn: day(2019, time.June, 3),
		Head:         &shep.Head{IIN: head.IIN, Surname: head.Surname, Name: head.Name, Since: day(2024, time.March, 1)},
	}
}

func day(year int, month time.Month, d int) kz.Day {
	return kz.DayOf(time.Date(year, month, d, 12, 0, 0, 0, time.UTC))
}

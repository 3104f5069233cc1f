package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/pki/cert"
)

// certWords are the words of `senim cert show`.
type certWords struct {
	file, certificate, holder, surname, patronymic, iin, bin, organization, email, system string
	roles, keyStore, policies, key, signature, validity, usage, issuer, serial            string
	authority, privateKey, inThisFile, notStated, none, bits, unsupported                 string
	valid, expired, notYet                                                                string
	kinds                                                                                 map[cert.StoreKind]string
	names                                                                                 map[string]string // of roles
}

var certWordsIn = map[fault.Language]certWords{
	fault.English: {
		file: "File", certificate: "Certificate", holder: "Holder", surname: "Surname", patronymic: "Patronymic", iin: "IIN", bin: "BIN",
		organization: "Organisation", email: "Email", system: "Information system", roles: "Roles", keyStore: "Key store", policies: "Policies",
		key: "Key", signature: "Signed with", validity: "Validity", usage: "Key usage", issuer: "Issued by", serial: "Serial",
		authority: "Authority", privateKey: "Private key", inThisFile: "in this file", notStated: "not stated", none: "none", bits: "bits",
		unsupported: "not supported", valid: "valid by its dates", expired: "expired", notYet: "not yet valid",
		kinds: map[cert.StoreKind]string{cert.StoreHardware: "hardware", cert.StoreFile: "file", cert.StoreCloud: "cloud"},
		names: map[string]string{
			"INDIVIDUAL": "individual", "ORGANIZATION": "legal entity", "CEO": "head of the entity", "CAN_SIGN": "may sign for the entity",
			"CAN_SIGN_FINANCIAL": "may sign financial documents", "HR": "human resources", "EMPLOYEE": "employee", "INFORMATION_SYSTEM": "information system",
			"TREASURY_CLIENT": "client of the Treasury", "SINGLE_WINDOW": "Single Window", "EGOV_GATEWAY": "e-government gateway", "PAYMENT_GATEWAY": "payment gateway",
		},
	},
	fault.Russian: {
		file: "Файл", certificate: "Сертификат", holder: "Владелец", surname: "Фамилия", patronymic: "Отчество", iin: "ИИН", bin: "БИН",
		organization: "Организация", email: "Почта", system: "Информационная система", roles: "Роли", keyStore: "Хранилище ключа", policies: "Политики",
		key: "Ключ", signature: "Подписан", validity: "Срок действия", usage: "Применение ключа", issuer: "Кем выдан", serial: "Серийный номер",
		authority: "Удостоверяющий центр", privateKey: "Закрытый ключ", inThisFile: "в этом файле", notStated: "не указано", none: "нет", bits: "бит",
		unsupported: "не поддерживается", valid: "действует по датам", expired: "истёк", notYet: "ещё не действует",
		kinds: map[cert.StoreKind]string{cert.StoreHardware: "аппаратное", cert.StoreFile: "файл", cert.StoreCloud: "облачное"},
		names: map[string]string{
			"INDIVIDUAL": "физическое лицо", "ORGANIZATION": "юридическое лицо", "CEO": "первый руководитель", "CAN_SIGN": "право подписи",
			"CAN_SIGN_FINANCIAL": "право подписи финансовых документов", "HR": "отдел кадров", "EMPLOYEE": "сотрудник", "INFORMATION_SYSTEM": "информационная система",
			"TREASURY_CLIENT": "клиент казначейства", "SINGLE_WINDOW": "Единое окно", "EGOV_GATEWAY": "шлюз электронного правительства", "PAYMENT_GATEWAY": "платёжный шлюз",
		},
	},
	fault.Kazakh: {
		file: "Файл", certificate: "Сертификат", holder: "Иесі", surname: "Тегі", patronymic: "Әкесінің аты", iin: "ЖСН", bin: "БСН",
		organization: "Ұйым", email: "Пошта", system: "Ақпараттық жүйе", roles: "Рөлдер", keyStore: "Кілт қоймасы", policies: "Саясаттар",
		key: "Кілт", signature: "Қол қою алгоритмі", validity: "Қолданылу мерзімі", usage: "Кілтті қолдану", issuer: "Кім берді", serial: "Сериялық нөмірі",
		authority: "Куәландырушы орталық", privateKey: "Жабық кілт", inThisFile: "осы файлда", notStated: "көрсетілмеген", none: "жоқ", bits: "бит",
		unsupported: "қолдау жоқ", valid: "мерзімі бойынша жарамды", expired: "мерзімі өткен", notYet: "әлі күшіне енген жоқ",
		kinds: map[cert.StoreKind]string{cert.StoreHardware: "аппараттық", cert.StoreFile: "файл", cert.StoreCloud: "бұлттық"},
		names: map[string]string{
			"INDIVIDUAL": "жеке тұлға", "ORGANIZATION": "заңды тұлға", "CEO": "бірінші басшы", "CAN_SIGN": "қол қою құқығы бар",
			"CAN_SIGN_FINANCIAL": "қаржы құжаттарына қол қою құқығы бар", "HR": "кадрлар бөлімі", "EMPLOYEE": "қызметкер", "INFORMATION_SYSTEM": "ақпараттық жүйе",
			"TREASURY_CLIENT": "қазынашылық клиенті", "SINGLE_WINDOW": "Бірыңғай терезе", "EGOV_GATEWAY": "электрондық үкімет шлюзі", "PAYMENT_GATEWAY": "төлем шлюзі",
		},
	},
}

// text is the file for a person to read: nothing in it is a whole IIN, and no
// name in a certificate can write to the terminal what is not a name.
func (s *shownFile) text(w certWords, now time.Time) []byte {
	var b bytes.Buffer
	line := func(label, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", label, printable(value))
		}
	}
	line(w.file, fmt.Sprintf("%s (%s)", s.File, s.Format))
	for i := range s.Certificates {
		c := &s.Certificates[i]
		fmt.Fprintf(&b, "\n%s: %s\n", w.certificate, c.SHA256)
		indented := func(label, value string) { line("  "+label, value) }
		indented(w.holder, c.Holder.CommonName)
		indented(w.surname, c.Holder.Surname)
		indented(w.patronymic, c.Holder.Patronymic)
		indented(w.iin, c.Holder.maskedIIN)
		indented(w.organization, c.Holder.Organization)
		indented(w.bin, c.Holder.BIN)
		indented(w.email, c.Holder.Email)
		indented(w.system, c.Holder.System)
		indented(w.roles, w.list(c.Roles))
		indented(w.keyStore, w.store(c.KeyStore))
		indented(w.policies, w.list(c.Policies))
		indented(w.key, w.keyText(c.Key))
		indented(w.signature, c.SignatureAlgorithm.Name)
		indented(w.validity, fmt.Sprintf("%s … %s (%s)", c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339), w.state(c, now)))
		indented(w.usage, strings.Join(c.KeyUsage, ", "))
		if c.Authority {
			indented(w.authority, "CA")
		}
		indented(w.issuer, c.issuerName)
		indented(w.serial, c.Serial)
		if c.PrivateKey {
			indented(w.privateKey, w.inThisFile)
		}
	}
	return b.Bytes()
}

// list names roles or policies, in the reader's language where there is a word,
// with the identifier beside it.
func (w certWords) list(all []named) string {
	if len(all) == 0 {
		return w.none
	}
	texts := make([]string, len(all))
	for i, n := range all {
		name := n.Name
		if word := w.names[name]; word != "" {
			name = word
		}
		if name == "" {
			texts[i] = n.OID
			continue
		}
		texts[i] = fmt.Sprintf("%s (%s)", name, n.OID)
	}
	return strings.Join(texts, ", ")
}

func (w certWords) store(s *shownKeyStore) string {
	switch {
	case s == nil:
		return w.notStated
	case s.Kind == "":
		return s.Name
	}
	return fmt.Sprintf("%s: %s", w.kinds[s.Kind], s.Name)
}

func (w certWords) keyText(k shownKey) string {
	switch {
	case !k.Supported:
		return fmt.Sprintf("%s (%s)", k.Name, w.unsupported)
	case k.Curve != "":
		return fmt.Sprintf("%s, %s, %d %s", k.Name, k.Curve, k.Bits, w.bits)
	}
	return fmt.Sprintf("%s, %d %s", k.Name, k.Bits, w.bits)
}

func (w certWords) state(c *shownCertificate, now time.Time) string {
	switch {
	case now.Before(c.NotBefore):
		return w.notYet
	case now.After(c.NotAfter):
		return w.expired
	}
	return w.valid
}

// printable leaves out what is not a graphic character or a space.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '�'
		}
		return r
	}, s)
}

// subjectText is a name for a person to read: no IIN in it is whole.
func subjectText(name string) string { return printable(kz.MaskIINs(name)) }

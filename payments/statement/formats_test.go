package statement_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/statement"
)

// statementDay is a day of the identifiers made here.
var statementDay = kz.DayOf(now)

const (
	iik = order.TreasuryIIK

	mt950 = "{1:F01K059140000000010000003}\r\n{2:O950SGROSS000000U3003}\r\n{4:\r\n:20:ST1\r\n:25:" + iik + "\r\n:28C:309/1\r\n:60F:C261104KZT1000,00\r\n" +
		":61:2611051105C100,50NTRFR1//BNK1\r\n:86:/NAME/ТОО Импортер\r\n/IDN/190640017419\r\n/KNP/911\r\n/BCLASS/106104\r\n/ASSIGN/ДТ 55302/051126/0000123 УИН 26112000000000118\r\n" +
		":61:2611051105RC0,50NTRFR2//BNK2\r\n:62F:C261105KZT1100,00\r\n-}\r\n"

	mt100 = "{1:F01K059140000000010000001}\n{2:I100SGROSS000000U3003}\n{4:\n:20:SW1\n:32A:261105KZT1245600,37\n:50:/D/KZ24601A871000000001\n" +
		"/NAME/ТОО Тестовый\n/IDN/190640017419\n:52B:HSBKKZKX\n:57B:KKMFKZ2A\n:59:" + iik + "\n/NAME/УГД\n/IDN/990840001338\n" +
		":70:/NUM/17\n/KNP/911\n/BCLASS/106104\n/ASSIGN/UIN 26112000000000118\nввозная пошлина\n-}\n"

	mt102 = "{1:F01K}{2:I102SCLEAR000000U3003}{4:\n:20:B1\n:59:" + iik + "\n/NAME/УГД\n:70:/NUM/102\n/KNP/911\n/BCLASS/106201\n" +
		":21:1\n:32B:KZT200,00\n:50:/D/KZ1\n/IDN/190640017419\n:70:/ASSIGN/первый\n:21:2\n:32B:KZT300,00\n:50:/D/KZ2\n:70:/ASSIGN/второй\n:32A:261105KZT500,00\n-}\n"

	kgd = `[{"paymentDocumentNumber":"1","bin":"190640017419","budgetClassificationCode":"106104","dateOfBudgetEnrollment":"05.11.2026","ogdCode":"700701",` +
		`"paymentAmount":"1245600.37","paymentType":"Налог","transactionType":"Платеж","dateOfAccountDebit":"04.11.2026"},
{"paymentDocumentNumber":"2","dateOfBudgetEnrollment":"06.11.2026","paymentAmount":"-500"}]`
)

func summary(lines []statement.Line) (all []string) {
	for _, l := range lines {
		all = append(all, strings.Join([]string{
			l.Reference, l.Amount.String(), l.BookingDay.String(), l.ValueDay.String(), l.Identifier, l.BudgetCode, l.PurposeCode, l.Payer, l.Declaration, l.Purpose,
		}, "|"))
	}
	return all
}

func TestFormats(t *testing.T) {
	cyrillic, err := charmap.Windows1251.NewEncoder().String(strings.ReplaceAll(mt950, "УИН", "UIN"))
	if err != nil {
		t.Fatal(err)
	}
	line := "BNK1|100.50|2026-11-05|2026-11-05|26112000000000118|106104|911|190640017419|55302/051126/0000123|ДТ 55302/051126/0000123 УИН 26112000000000118"
	back := "BNK2|-0.50|2026-11-05|2026-11-05|||||||"
	tests := []struct {
		name, in string
		format   statement.Format
		want     []string
	}{
		{"MT950", mt950, statement.MT950, []string{line, strings.TrimSuffix(back, "|")}},
		{"MT950 in windows-1251", cyrillic, statement.MT950, []string{strings.ReplaceAll(line, "УИН", "UIN"), strings.TrimSuffix(back, "|")}},
		{"MT940 without blocks", strings.NewReplacer("{1:F01K059140000000010000003}\r\n{2:O950SGROSS000000U3003}\r\n{4:\r\n", "", "-}\r\n", "").Replace(mt950),
			statement.MT940, []string{line, strings.TrimSuffix(back, "|")}},
		{"MT100", mt100, statement.MT100, []string{"SW1|1245600.37|2026-11-05|2026-11-05|26112000000000118|106104|911|190640017419||UIN 26112000000000118 ввозная пошлина"}},
		{"MT102", mt102, statement.MT102, []string{
			"B1-1|200.00|2026-11-05|2026-11-05||106201|911|190640017419||первый", "B1-2|300.00|2026-11-05|2026-11-05||106201|911|||второй"}},
		{"the revenue service", kgd, statement.KGD, []string{
			"1|1245600.37|2026-11-05|2026-11-04||106104||190640017419||", "2|-500.00|2026-11-06|||||||"}},
	}
	for _, test := range tests {
		lines, bad, s, err := parse(strings.NewReader(test.in))
		if err != nil || len(bad) > 0 || s.Format != test.format {
			t.Errorf("%s: %s, %v, %v", test.name, s.Format, bad, err)
			continue
		}
		if diff := cmp.Diff(test.want, summary(lines)); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
		if err := s.Check(iik); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// What a whole file is refused for.
func TestRefusedFormats(t *testing.T) {
	tests := []struct {
		name, in string
		want     fault.Code
	}{
		{"another message", strings.Replace(mt950, "O950", "O999", 1), fault.StatementVersion},
		{"closing balance", strings.Replace(mt950, "KZT1100,00", "KZT1100,01", 1), fault.StatementBalance},
		{"no closing balance", strings.Replace(mt950, ":62F:C261105KZT1100,00\r\n", "", 1), fault.StatementMalformed},
		{"a balance that is none", strings.Replace(mt950, "C261104KZT1000,00", "X261104KZT1000,00", 1), fault.StatementMalformed},
		{"another account", strings.Replace(mt950, iik, "KZ32722S000000000042", 1), fault.StatementAccount},
		{"a line without an end", ":20:" + strings.Repeat("x", 5000), fault.StatementMalformed},
		{"a field without an end", ":20:A\n" + strings.Repeat(strings.Repeat("x", 1000)+"\n", 100), fault.StatementMalformed},
		{"a truncated payment", mt100[:len(mt100)-4], fault.StatementMalformed},
		{"a payment of which the head is there", mt100 + mt100[:strings.Index(mt100, ":20:")], fault.StatementMalformed},
		{"JSON of two alphabets", strings.Replace(kgd, "[", "[\"пошлина \xef\xee\",", 1), fault.StatementMalformed},
		{"the sum of a batch", strings.Replace(mt102, "KZT500,00", "KZT500,01", 1), fault.StatementTotals},
		{"an amount before its payment", strings.Replace(mt102, ":21:1\n", "", 1), fault.StatementMalformed},
		{"truncated JSON", kgd[:len(kgd)-1], fault.StatementMalformed},
		{"JSON and more", kgd + "x", fault.StatementMalformed},
		{"a record without an end", `[{"paymentPurpose":"` + strings.Repeat("x", 300<<10) + `"}]`, fault.StatementMalformed},
	}
	for _, test := range tests {
		_, _, s, err := parse(strings.NewReader(test.in))
		if err == nil {
			err = s.Check(iik)
		}
		if fault.CodeOf(err) != test.want {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
}

// What spoils one entry leaves its neighbours.
func TestBadEntriesOfFormats(t *testing.T) {
	tests := []struct{ name, in string }{
		{"value date", strings.Replace(mt950, "2611051105C100", "2613051105C100", 1)},
		{"mark", strings.Replace(mt950, "1105C100", "1105X100", 1)},
		{"amount", strings.Replace(mt950, "C100,50N", "C1,00,50N", 1)},
		{"no amount", strings.Replace(mt950, "C100,50N", "CN", 1)},
		{"finer than a tiyn", strings.Replace(mt950, "C100,50N", "C100,505N", 1)},
		{"a batch's amount", strings.Replace(mt102, "KZT200,00", "KZT2x", 1)},
		{"a batch's currency", strings.Replace(mt102, ":32B:KZT200", ":32B:USD200", 1)},
		{"a batch's account", strings.Replace(mt102, ":50:/D/KZ1", ":59:KZ9\n:50:/D/KZ1", 1)},
		{"JSON: amount", strings.Replace(kgd, "1245600.37", "1,5", 1)},
		{"JSON: no amount", strings.Replace(kgd, "1245600.37", "", 1)},
		{"JSON: day", strings.Replace(kgd, "05.11.2026", "05.13.2026", 1)},
		{"JSON: type", strings.Replace(kgd, `"1245600.37"`, `true`, 1)},
		{"JSON: a number in the manner of programs", strings.Replace(kgd, `"1245600.37"`, `1.2456e6`, 1)},
		{"a payment without its day", strings.Replace(mt100, ":32A:261105KZT1245600,37\n", "", 1) + mt100},
		{"a payment with a day that is none", strings.Replace(mt100, ":32A:261105", ":32A:261335", 1) + mt100},
		{"a payment's amount", strings.Replace(mt100, "KZT1245600,37", "KZTmany", 1) + mt100},
	}
	for _, test := range tests {
		lines, bad, s, err := parse(strings.NewReader(test.in))
		if err == nil {
			err = s.Check(iik)
		}
		if err != nil || len(lines) != 1 || len(bad) != 1 || bad[0].Code != fault.StatementLineBad || bad[0].Detail == "" {
			t.Errorf("%s: %d lines, %v, %v", test.name, len(lines), bad, err)
		}
	}
}

// What a payment of a batch says of itself stands before what holds for all.
func TestBatchCodes(t *testing.T) {
	in := strings.Replace(mt102, ":70:/ASSIGN/второй", ":70:/KNP/912\n/BCLASS/106104\n/ASSIGN/вто\nрой", 1)
	lines, bad, _, err := parse(strings.NewReader(in))
	want := []string{"B1-1|200.00|2026-11-05|2026-11-05||106201|911|190640017419||первый", "B1-2|300.00|2026-11-05|2026-11-05||106104|912|||вто рой"}
	if diff := cmp.Diff(want, summary(lines)); err != nil || len(bad) > 0 || diff != "" {
		t.Errorf("%v, %v, %s", err, bad, diff)
	}
}

func TestDatesAroundNewYear(t *testing.T) {
	for text, want := range map[string]string{
		"2612310102C1,00": "2027-01-02", "2701021231C1,00": "2026-12-31", "2602300301C1,00": "2026-03-01", "260105C1,00": "2026-01-05",
	} {
		in := strings.Replace(mt950, "2611051105C100,50", text, 1)
		lines, _, _, err := parse(strings.NewReader(in))
		if err != nil || len(lines) != 2 || lines[0].BookingDay.String() != want {
			t.Errorf("%s: %v, %v", text, summary(lines), err)
		}
	}
}

const mapping = `
delimiter: ";"
date: 02.01.2006
decimal: ","
grouping: " "
account: ` + iik + `
columns: {booking_day: Дата, reference: Номер, debit: Дебет, credit: Кредит, payer: БИН, budget_code: КБК, purpose_code: КНП, purpose: Назначение}
`

func TestCSV(t *testing.T) {
	m, err := statement.ParseMapping([]byte(mapping))
	if err != nil {
		t.Fatal(err)
	}
	in := "Дата;Номер;Дебет;Кредит;БИН;КБК;КНП;Назначение\n" +
		"05.11.2026;17;;1 245 600,37;190640017419;106104;911;\"ДТ 55302/051126/0000123; пошлина\"\n" +
		"05.11.2026;18;500,00;;;;;возврат\n" +
		"05.11.2026;19;1,00;1,00;;;;оба\n" +
		"5 ноября;20;;1,00;;;;день\n" +
		"05.11.2026;21;;;;;;ничего\n"
	lines, bad, s, err := parseWith(strings.NewReader(in), statement.Options{Mapping: m})
	want := []string{
		"17|1245600.37|2026-11-05|||106104|911|190640017419|55302/051126/0000123|ДТ 55302/051126/0000123; пошлина",
		"18|-500.00|2026-11-05|||||||возврат",
	}
	if diff := cmp.Diff(want, summary(lines)); err != nil || diff != "" || len(bad) != 3 || s.Format != statement.CSV {
		t.Errorf("%v, %v, %s", err, bad, diff)
	}
	for name, more := range map[string]string{"fields": "1;2\nИтого\n", "quotes": "05.11.2026;2\"2;;1,00;;;;\n\"05.11.2026\"x;;;1,00;;;;\n"} {
		last := "05.11.2026;23;;3,00;;;;\n"
		lines, bad, _, err := parseWith(strings.NewReader(in+more+last), statement.Options{Mapping: m})
		if err != nil || len(lines) != 3 || len(bad) != 5 || bad[3].Detail == "" || bad[3].Offset != int64(len(in)) {
			t.Errorf("%s: %d lines, %+v, %v", name, len(lines), bad, err)
		}
	}
	for name, in := range map[string]string{
		"no record": "Дата", "a column is missing": "Дата;Номер\n1;2\n", "a quote over the rest": in + "\"a;b;c\n" + in, "the head's quotes": "Дата\"",
	} {
		if _, _, _, err := parseWith(strings.NewReader(in), statement.Options{Mapping: m}); err == nil && name != "no record" || err != nil && fault.CodeOf(err) != fault.StatementMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, _, err := parse(strings.NewReader(in)); !fault.Is(err, fault.StatementMalformed) {
		t.Errorf("without a mapping: %v", err)
	}
}

// A mark, NULs before and another alphabet change nothing.
func TestStrangeBeginnings(t *testing.T) {
	m, err := statement.ParseMapping([]byte(mapping))
	if err != nil {
		t.Fatal(err)
	}
	options := statement.Options{Mapping: m}
	table := "Дата;Номер;Дебет;Кредит;БИН;КБК;КНП;Назначение\n05.11.2026;17;;1,00;;;;пошлина\n"
	table1251, err := charmap.Windows1251.NewEncoder().String(table)
	if err != nil {
		t.Fatal(err)
	}
	camt := head("1001.00") + entry("R", "1.00", "CRDT", "") + foot
	for name, test := range map[string]struct {
		in    string
		lines int
	}{
		"camt.053":                  {"\xEF\xBB\xBF" + camt, 1},
		"MT950":                     {"\xEF\xBB\xBF" + mt950, 2},
		"MT950 with a trailer":      {strings.Replace(mt950, "-}", "-}{5:{CHK:0}}", 1), 2},
		"MT950 behind a NUL":        {"\x00\x01" + mt950, 2},
		"MT940 without blocks":      {"\xEF\xBB\xBF:20:A\n:25:" + iik + "\n:28C:1\n:60F:C261104KZT1,00\n:61:2611051105C1,00NTRFX//Y\n:62F:C261105KZT2,00\n-", 1},
		"MT100":                     {"\xEF\xBB\xBF" + mt100, 1},
		"the revenue service":       {"\xEF\xBB\xBF" + kgd, 2},
		"CSV":                       {"\xEF\xBB\xBF" + table, 1},
		"CSV, the first one quoted": {"\xEF\xBB\xBF" + strings.Replace(table, "Дата", "\"Дата\"", 1), 1},
		"CSV in windows-1251":       {table1251, 1},
	} {
		lines, bad, s, err := parseWith(strings.NewReader(test.in), options)
		if err != nil || len(bad) > 0 || len(lines) != test.lines || s.Format == statement.CSV && lines[0].Purpose != "пошлина" {
			t.Errorf("%s: %v, %v, %v", name, summary(lines), bad, err)
		}
	}
	// Windows-1251 behind a beginning that is ASCII, beside UTF-8, or against what
	// the mapping says.
	late := strings.NewReplacer("Дата", "day", "Номер", "no", "Дебет", "debit", "Кредит", "credit", "БИН", "bin", "КБК", "kbk", "КНП", "knp", "Назначение", "text")
	ascii, err := statement.ParseMapping([]byte(late.Replace(mapping)))
	if err != nil {
		t.Fatal(err)
	}
	first := late.Replace(table[:strings.Index(table, "\n")+1])
	in := first + strings.Repeat("05.11.2026;17;;1,00;;;;duty\n", 200) + table1251[strings.Index(table1251, "\n")+1:]
	lines, bad, _, err := parseWith(strings.NewReader(in), statement.Options{Mapping: ascii})
	if err != nil || len(bad) > 0 || len(lines) != 201 || lines[200].Purpose != "пошлина" {
		t.Errorf("windows-1251 behind ASCII: %d lines, %v, %v", len(lines), bad, err)
	}
	in = strings.Replace(in, "duty", "сбор", 1)
	if _, _, _, err := parseWith(strings.NewReader(in), statement.Options{Mapping: ascii}); !fault.Is(err, fault.StatementMalformed) {
		t.Errorf("an alphabet that changes: %v", err)
	}
	m.Encoding = "utf-8"
	if _, _, _, err := parseWith(strings.NewReader(table1251), options); !fault.Is(err, fault.StatementMalformed) {
		t.Errorf("another alphabet than said: %v", err)
	}
}

// Of a structured :86: the end-to-end reference and the numbers are found,
// across its subfields too.
func TestStructuredDetails(t *testing.T) {
	for text, want := range map[string]string{
		"166?00CREDIT?20EREF+E2E-1?21KREF+K1?22SVWZ+customs 2611?232000000000118?32TOO": "E2E-1 26112000000000118 ",
		"166?00CREDIT?20EREF+NOTPROVIDED?22SVWZ+by 55302/0511?2326/0000123":             "  55302/051126/0000123",
		"/EREF/E2E-2//ORDP//NAME/TOO/REMI/by 55302/051126/0000123":                      "E2E-2  55302/051126/0000123",
		"customs 26112000000000118":                                                     " 26112000000000118 ",
	} {
		in := ":20:A\n:25:" + iik + "\n:28C:1\n:60F:C261104KZT1,00\n:61:2611051105C1,00NTRFX//Y\n:86:" + text + "\n:62F:C261105KZT2,00\n-"
		lines, bad, _, err := parse(strings.NewReader(in))
		if err != nil || len(bad) > 0 || len(lines) != 1 {
			t.Fatalf("%s: %v, %v", text, bad, err)
		}
		if got := lines[0].EndToEnd + " " + lines[0].Identifier + " " + lines[0].Declaration; got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// An account is the one however a bank writes it, and records of others are of
// statements of their own.
func TestAccountsAsBanksWriteThem(t *testing.T) {
	for stated, want := range map[string]bool{
		iik: true, "KKMFKZ2A/" + iik: true, iik + "KZT": true, "KZ24 0701 05KS N000 0000": true, "KKMFKZ2A/" + iik + "KZT": true,
		"KZ32722S000000000042": false, iik + "1": false, iik + "/KZ32722S000000000042": false, iik + "KZTX": false, "X" + iik: false,
	} {
		_, _, s, err := parse(strings.NewReader(strings.ReplaceAll(mt950, iik, stated)))
		if err == nil {
			err = s.Check(iik)
		}
		if got := err == nil; got != want {
			t.Errorf("%s: %v", stated, err)
		}
	}
	m, err := statement.ParseMapping([]byte("columns: {booking_day: d, amount: a, account: acc}"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	table := "d;a;acc\n05.11.2026;1,00;KZ9\n05.11.2026;2,00;" + iik + "\n05.11.2026;3,00;\n05.11.2026;x;KZ9\n05.11.2026;4,00;" + iik + "\n"
	err = statement.Parse(strings.NewReader(table), statement.Options{Mapping: m}, statement.Sink{End: func(s *statement.Statement) error {
		got = append(got, fmt.Sprint(s.Account, " ", s.Entries, " ", s.Bad))
		return nil
	}})
	if want := []string{"KZ9 1 0", iik + " 2 0", "KZ9 1 1", iik + " 1 0"}; err != nil || !cmp.Equal(want, got) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestMappingRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "unknown key": "kolumns: {}", "no day": "columns: {amount: A}", "no amount": "columns: {booking_day: A}",
		"unknown column": "columns: {booking_day: A, amount: B, colour: C}", "delimiter": "delimiter: ab\ncolumns: {booking_day: A, amount: B}",
		"encoding": "encoding: x-none\ncolumns: {booking_day: A, amount: B}", "decimal": "decimal: x\ncolumns: {booking_day: A, amount: B}",
		"large": "account: " + strings.Repeat("x", statement.MappingBytesMax),
	} {
		if _, err := statement.ParseMapping([]byte(text)); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A text that names two identifiers names none.
func TestFreeText(t *testing.T) {
	id := func(n int64) string {
		i, err := order.NewIdentifier(statementDay, n)
		if err != nil {
			t.Fatal(err)
		}
		return string(i)
	}
	for text, want := range map[string]string{
		"оплата " + id(1):                           id(1) + "|",
		id(1) + ", " + id(1):                        id(1) + "|",
		id(1) + " и " + id(2):                       "|",
		"номер 12345678901234567":                   "|",
		"оплата " + id(1)[:9] + "\n" + id(1)[9:]:    id(1) + "|",
		"ДТ 55302/0511\n26/0000123, сбор":           "|55302/051126/0000123",
		id(1) + "\n" + id(2):                        "|",
		id(1) + "\n7":                               id(1) + "|",
		"ДТ 55302/051126/0000123/":                  "|55302/051126/0000123",
		"55302/051126/0000123 55302/051126/1":       "|55302/051126/0000123",
		"55302/051126/0000123 55302/051126/0000124": "|",
	} {
		in := strings.Replace(mt100, "/ASSIGN/UIN 26112000000000118\nввозная пошлина", "/ASSIGN/"+text, 1)
		lines, _, _, err := parse(strings.NewReader(in))
		if err != nil || len(lines) != 1 || lines[0].Identifier+"|"+lines[0].Declaration != want {
			t.Errorf("%s: %v, %v, want %s", text, summary(lines), err, want)
		}
	}
}

// The shared samples of Kazakhstan's formats are read whole.
func TestKazakhSamples(t *testing.T) {
	for file, want := range map[string][]string{
		"mt100_customs_duty.txt":        {"1245600.37"},
		"mt102_customs_fees_batch.txt":  {"20000.00", "20000.00"},
		"mt950_treasury_day.txt":        {"1245600.37", "20000.00", "20000.00", "-500.00"},
		"treasury_receipts_sample.json": {"1245600.37", "20000.00", "-500.00"},
	} {
		raw, err := os.ReadFile(filepath.Join(corpus, "kz", file))
		if err != nil {
			t.Skipf("the shared samples are absent: %v", err)
		}
		lines, bad, s, err := parse(strings.NewReader(string(raw)))
		var got []string
		for _, l := range lines {
			got = append(got, l.Amount.String())
		}
		if err != nil || len(bad) > 0 || !cmp.Equal(want, got) {
			t.Errorf("%s: %v, %v, %v", file, got, bad, err)
		}
		if err := s.Check(iik); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments/order"
)

// foreignIIK is an account that is not the treasury's.
const foreignIIK = "KZ32722S000000000042"

// wireFile is how a format writes a file: of some credits of one tenge each, to
// an account. From and name make the lines of two files different.
type wireFile struct {
	name string
	file func(name, account string, credits int) string
	// line is the credit as it stands in the file, and bad what it becomes so
	// that it cannot be read, and no other.
	line, bad string
	// open: nobody can tell a file that is cut from a whole one.
	open bool
	// balanced: the file says what its lines add up to.
	balanced bool
}

func mt940File(name, account string, credits int) string {
	var b strings.Builder
	fmt.Fprintf(&b, ":20:%s\r\n:25:%s\r\n:28C:1/1\r\n:60F:C261104KZT100,00\r\n", name, account)
	for i := range credits {
		fmt.Fprintf(&b, ":61:2611051105C1,00NTRF%s-%d//%s-%d\r\n:86:/NAME/ТОО Импортёр\r\n/ASSIGN/пошлина\r\n", name, i, name, i)
	}
	fmt.Fprintf(&b, ":62F:C261105KZT%d,00\r\n-\r\n", 100+credits)
	return b.String()
}

func mt100File(name, account string, credits int) string {
	var b strings.Builder
	for i := range credits {
		fmt.Fprintf(&b, "{1:F01K}{2:I100SGROSS}\n{4:\n:20:%s-%d\n:32A:261105KZT1,00\n:50:/D/KZ24601A871000000001\n/NAME/ТОО Импортёр\n:59:%s\n:70:/KNP/911\n/ASSIGN/пошлина\n-}\n", name, i, account)
	}
	return b.String()
}

func mt102File(name, account string, credits int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{1:F01K}{2:I102SCLEAR}\n{4:\n:20:%s\n:59:%s\n:70:/KNP/911\n/ASSIGN/пошлина\n", name, account)
	for i := range credits {
		fmt.Fprintf(&b, ":21:%d\n:32B:KZT1,00\n:50:/D/KZ24601A871000000001\n/NAME/ТОО Импортёр\n", i)
	}
	fmt.Fprintf(&b, ":32A:261105KZT%d,00\n-}\n", credits)
	return b.String()
}

func receiptsFile(name, _ string, credits int) string {
	all := make([]string, credits)
	for i := range all {
		all[i] = fmt.Sprintf(`{"paymentDocumentNumber":"%s-%d","bin":"190640017419","budgetClassificationCode":"106104","dateOfBudgetEnrollment":"05.11.2026","kbkName":"пошлина","ogdCode":"700701","paymentAmount":"1.00","paymentType":"Налог","transactionType":"Платеж","paymentPurpose":"пошлина"}`, name, i)
	}
	return "[\n" + strings.Join(all, ",\n") + "\n]\n"
}

func tableFile(name, account string, credits int) string {
	b := strings.Builder{}
	b.WriteString("Дата;Номер;Сумма;Счёт;Назначение\n")
	for i := range credits {
		fmt.Fprintf(&b, "05.11.2026;%s-%d;1,00;%s;пошлина\n", name, i, account)
	}
	return b.String()
}

func camtFile(t *testing.T) func(name, account string, credits int) string {
	return func(name, account string, credits int) string {
		text := treasuryDayText(t, sample.TreasuryDay{
			ID: name, Entries: credits, First: len(name) * 100_000, Line: func(int) sample.TreasuryLine { return sample.TreasuryLine{Amount: 100, PurposeCode: "911"} },
		})
		return strings.ReplaceAll(text, order.TreasuryIIK, account)
	}
}

func wireFiles(t *testing.T) []wireFile {
	return []wireFile{
		{name: "camt.053", file: camtFile(t), line: "<CdtDbtInd>CRDT</CdtDbtInd><Sts>", bad: "<CdtDbtInd>BOTH</CdtDbtInd><Sts>", balanced: true},
		{name: "MT940", file: mt940File, line: "C1,00N", bad: "Cmany", balanced: true},
		{name: "MT100", file: mt100File, line: "KZT1,00", bad: "KZTmany"},
		{name: "MT102", file: mt102File, line: ":32B:KZT1,00", bad: ":32B:KZTmany", balanced: true},
		{name: "revenue service", file: receiptsFile, line: `"1.00"`, bad: `"many"`},
		{name: "CSV", file: tableFile, line: ";1,00;", bad: ";many;", open: true},
	}
}

const tableMapping = "columns: {booking_day: Дата, reference: Номер, amount: Сумма, account: Счёт, purpose: Назначение}"

// In every format: a file again, a line in two files, twins, a bad line, an
// alphabet, another account, a cut and a wrong sum are each found, and nothing
// else comes of them.
func TestEveryFormatThroughTheCommand(t *testing.T) {
	mapping := writeTemp(t, tableMapping)
	for _, f := range wireFiles(t) {
		t.Run(f.name, func(t *testing.T) {
			dsn := postgrestest.DSN(t)
			data, pool, o := running(t, dsn), openPool(t, dsn), newOperator()
			number := 0
			expect := func(what, text string, lines, duplicates, bad int, known bool) {
				t.Helper()
				check(t, o.run(t, o.statementCommand(), "import", "--data", data, "--mapping", mapping, "--json", writeTemp(t, text)))
				got := printed[struct{ Statements []importedFile }](t, o).Statements[0].Import
				if got.Lines != lines || got.Duplicates != duplicates || got.Bad != bad || got.Known != known || len(got.Rejected) != bad {
					t.Errorf("%s: %+v, want %d lines, %d duplicates, %d bad", what, got, lines, duplicates, bad)
				}
				for _, r := range got.Rejected {
					if !strings.Contains(r.Place, "byte ") || r.Code == "" {
						t.Errorf("%s: %+v", what, r)
					}
				}
			}
			refuse := func(what, text string, want fault.Code) {
				t.Helper()
				files, lines, bad := countLines(t, pool)
				err := o.run(t, o.statementCommand(), "import", "--data", data, "--mapping", mapping, writeTemp(t, text))
				if fault.CodeOf(err) != want || exitOf(err) != exitBadInput {
					t.Errorf("%s: %v, exit %d, want %s", what, err, exitOf(err), want)
				}
				if f, l, b := countLines(t, pool); f != files || l != lines || b != bad {
					t.Errorf("%s left something", what)
				}
			}
			file := func(credits int) string {
				number++
				return f.file(fmt.Sprint("F", strings.Repeat("x", number)), order.TreasuryIIK, credits)
			}
			first := file(3)
			expect("a file", first, 3, 0, 0, false)
			expect("the file again", first, 3, 0, 0, true)
			expect("its lines in another file", first+"\n", 0, 3, 0, false)
			one := file(3)
			expect("a bad line", strings.Replace(one, f.line, f.bad, 1), 2, 0, 1, false)
			expect("the good one", one, 1, 2, 0, false)
			expect("windows-1251", in1251(t, strings.Replace(file(3), "UTF-8", "windows-1251", 1)), 3, 0, 0, false)
			expect("a byte order mark", "\xEF\xBB\xBF"+file(2), 2, 0, 0, false)
			if !strings.Contains(one, "\r\n") && f.name != "camt.053" {
				expect("lines of Windows", strings.ReplaceAll(file(2), "\n", "\r\n"), 2, 0, 0, false)
			}
			big := file(2000)
			if !f.open {
				middle := len(big)/2 + strings.Index(big[len(big)/2:], f.line)
				refuse("cut in a line", big[:middle+len(f.line)/2], fault.StatementMalformed)
				refuse("cut before a line", big[:middle], fault.StatementMalformed)
			}
			if f.balanced {
				at := strings.LastIndex(big, "2000")
				if f.name == "MT940" {
					at = strings.LastIndex(big, "2100")
				}
				wrong := big[:at] + "1999" + big[at+4:]
				if err := o.run(t, o.statementCommand(), "import", "--data", data, writeTemp(t, wrong)); !fault.Is(err, fault.StatementBalance) && !fault.Is(err, fault.StatementTotals) {
					t.Errorf("a wrong sum: %v", err)
				}
			}
			if f.name != "revenue service" { // which names no account
				refuse("another account's", f.file("ALIEN", foreignIIK, 3), fault.StatementAccount)
				if f.name != "camt.053" { // whose files are one document
					alien := f.file("ALIEN", foreignIIK, 2)
					if f.name == "CSV" {
						_, alien, _ = strings.Cut(alien, "\n")
					}
					expect("beside another account's", file(3)+alien, 3, 0, 2, false)
				}
			}
			var purposes int
			check(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM statement_line WHERE purpose NOT LIKE '%пошлина%'`).Scan(&purposes))
			if purposes > 0 {
				t.Errorf("%d texts are not what was written", purposes)
			}
			// Each line needs a person, and nothing is lost: the day adds up.
			check(t, o.run(t, o.reconcileCommand(), "--data", data, "--json"))
			_, lines, bad := countLines(t, pool)
			total := 0
			for _, day := range printed[struct{ Days []dossier.Reconciliation }](t, o).Days {
				total += day.Matched + day.ExceptionCount
			}
			if total != lines+bad {
				t.Errorf("%d of %d lines and %d bad ones", total, lines, bad)
			}
		})
	}
}

// However a statement comes, an import that ends in the middle of it leaves
// nothing, and the same file is then imported whole.
func TestInterruptedImportOfEveryFormat(t *testing.T) {
	mapping := writeTemp(t, tableMapping)
	for _, f := range wireFiles(t)[1:] { // TestInterruptedImport is that of camt.053
		t.Run(f.name, func(t *testing.T) {
			dsn := postgrestest.DSN(t)
			data, pool, o := running(t, dsn), openPool(t, dsn), newOperator()
			text := f.file("BIG", order.TreasuryIIK, 6000)
			pipe := filepath.Join(t.TempDir(), "pipe")
			check(t, syscall.Mkfifo(pipe, 0o600))
			p := launch(t, t, nil, "statement", "import", "--data", data, "--mapping", mapping, pipe)
			w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
			check(t, err)
			defer w.Close()
			_, err = io.Copy(w, bytes.NewReader([]byte(text[:len(text)*2/3])))
			check(t, err)
			for begun := false; !begun; {
				check(t, pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
					WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted)`).Scan(&begun))
			}
			check(t, p.cmd.Process.Signal(syscall.SIGKILL))
			<-p.ended
			if files, lines, bad := countLines(t, pool); files+lines+bad != 0 {
				t.Errorf("it left %d files, %d lines, %d bad ones", files, lines, bad)
			}
			check(t, o.run(t, o.statementCommand(), "import", "--data", data, "--mapping", mapping, writeTemp(t, text)))
			if files, lines, bad := countLines(t, pool); files != 1 || lines != 6000 || bad != 0 {
				t.Errorf("%d files, %d lines, %d bad ones", files, lines, bad)
			}
		})
	}
}

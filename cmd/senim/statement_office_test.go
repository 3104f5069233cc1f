package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// paidLine puts a paid order of one line into the tables, with the ledger's
// entry of its money, and returns the identifier of the line.
func paidLine(t *testing.T, pool *pgxpool.Pool, n int, amount money.Tiyn, at time.Time) order.Identifier {
	t.Helper()
	identifier, err := order.NewIdentifier(kz.DayOf(at), int64(n))
	check(t, err)
	id := uuid.UUID{0x01, 0x9a, 14: byte(n >> 8), 15: byte(n)}
	check(t, postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		var batch pgx.Batch
		batch.Queue(`INSERT INTO payment_order (id, recorded_at, transaction_id, payer_bin, total, state, expires_at, received, paid, gateway)
			VALUES ($1, $2, $1, '190640017419', $3, 'paid', $4, $3, ARRAY[$3::bigint], 'pshep')`, id, at, int64(amount), at.AddDate(0, 0, 3))
		batch.Queue(`INSERT INTO payment_order_once (transaction_id, order_id, recorded_at) VALUES ($1, $1, $2)`, id, at)
		batch.Queue(`INSERT INTO payment_line (identifier, recorded_at, order_id, position, kind, budget_code, purpose_code, revenue_office, beneficiary_bin,
			beneficiary_name, bic, iik, kbe, amount) VALUES ($1, $2, $3, 0, '2010', '106104', '911', '7007', '990840001338', 'УГД', 'KKMFKZ2A', $4, '11', $5)`,
			string(identifier), at, id, order.TreasuryIIK, int64(amount))
		batch.Queue(`INSERT INTO payment_identifier (identifier, order_id, recorded_at) VALUES ($1, $2, $3)`, string(identifier), id, at)
		if err := tx.SendBatch(t.Context(), &batch).Close(); err != nil {
			return err
		}
		_, err := ledger.Post(t.Context(), tx, ledger.Entry{
			Key: fmt.Sprint("payment:pshep:", n), Kind: ledger.Payment, Day: kz.DayOf(at), Transaction: id, At: at,
			Postings: []ledger.Posting{{Account: ledger.Clearing("pshep"), Amount: amount}, {Account: "budget:7007:106104", Amount: -amount}},
		})
		return err
	}))
	return identifier
}

// Money that a bank credited to another revenue office is a case of its own, in
// whatever format the statement comes, and whether it names the office by its
// code or by its BIN.
func TestWrongOfficeOfEveryFormat(t *testing.T) {
	dsn := postgrestest.DSN(t)
	data, pool, o := running(t, dsn), openPool(t, dsn), newOperator()
	mapping := writeTemp(t, "columns: {booking_day: day, reference: no, amount: sum, identifier: uin, revenue_office: ugd, beneficiary: bin}")
	camt := func(identifier order.Identifier, strd, party, owner string) string {
		text := `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId></GrpHdr><Stmt><Id>` + string(identifier) +
			`</Id><Acct><Id><IBAN>` + order.TreasuryIIK + `</IBAN></Id>` + owner + `</Acct>`
		for _, balance := range []string{"OPBD 0.00", "CLBD 1.00"} {
			kind, amount, _ := strings.Cut(balance, " ")
			text += `<Bal><Tp><CdOrPrtry><Cd>` + kind + `</Cd></CdOrPrtry></Tp><Amt Ccy="KZT">` + amount + `</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-05</Dt></Dt></Bal>`
		}
		return text + `<Ntry><Amt Ccy="KZT">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-05</Dt></BookgDt><NtryDtls><TxDtls><RltdPties>` + party +
			`</RltdPties><RmtInf><Strd>` + strd + `<CdtrRefInf><Tp><CdOrPrtry><Prtry>UIN</Prtry></CdOrPrtry></Tp><Ref>` + string(identifier) +
			`</Ref></CdtrRefInf></Strd></RmtInf></TxDtls></NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>`
	}
	code := func(code string) string {
		return `<RfrdDocInf><Tp><CdOrPrtry><Prtry>UGD</Prtry></CdOrPrtry></Tp><Nb>` + code + `</Nb></RfrdDocInf>`
	}
	party := func(element, bin string) string {
		return `<` + element + `><Pty><Id><OrgId><Othr><Id>` + bin + `</Id><SchmeNm><Prtry>BIN</Prtry></SchmeNm></Othr></OrgId></Id></Pty></` + element + `>`
	}
	mt := func(kind, tail string) string { return "{1:F01K}{2:I" + kind + "SGROSS}\n{4:\n" + tail + "-}\n" }
	const ours, another = "990840001338", "050540007777"
	for i, test := range []struct {
		name  string
		wrong bool
		text  func(order.Identifier) string
	}{
		{"camt code", true, func(id order.Identifier) string { return camt(id, code("6009"), "", "") }},
		{"camt longer code of the office", false, func(id order.Identifier) string { return camt(id, code("700701"), "", "") }},
		{"camt creditor", true, func(id order.Identifier) string { return camt(id, "", party("Cdtr", another), "") }},
		{"camt creditor is the office", false, func(id order.Identifier) string { return camt(id, "", party("Cdtr", ours), "") }},
		{"camt creditor is the treasury", false, func(id order.Identifier) string {
			return camt(id, "", party("Cdtr", another), strings.NewReplacer("<Pty>", "", "</Pty>", "").Replace(party("Ownr", another)))
		}},
		{"MT100", true, func(id order.Identifier) string {
			return mt("100", fmt.Sprintf(":20:A\n:32A:261105KZT1,00\n:50:/D/KZ1\n/IDN/190640017419\n:59:%s\n/IDN/%s\n:70:/KNP/911\n/ASSIGN/UIN %s\n", order.TreasuryIIK, another, id))
		}},
		{"MT100 of the office", false, func(id order.Identifier) string {
			return mt("100", fmt.Sprintf(":20:B\n:32A:261105KZT1,00\n:50:/D/KZ1\n/IDN/190640017419\n:59:%s\n/IDN/%s\n:70:/KNP/911\n/ASSIGN/UIN %s\n", order.TreasuryIIK, ours, id))
		}},
		{"MT102", true, func(id order.Identifier) string {
			return mt("102", fmt.Sprintf(":20:C\n:59:%s\n/IDN/%s\n:70:/KNP/911\n:21:1\n:32B:KZT1,00\n:50:/D/KZ1\n:70:/ASSIGN/UIN %s\n:32A:261105KZT1,00\n", order.TreasuryIIK, another, id))
		}},
		{"MT940", true, func(id order.Identifier) string {
			return fmt.Sprintf(":20:D\n:25:%s\n:28C:1/1\n:60F:C261104KZT0,\n:61:2611051105C1,NTRFX//D1\n:86:/UIN/%s\n/UGD/6009\n:62F:C261105KZT1,\n-\n", order.TreasuryIIK, id)
		}},
		{"revenue service", true, func(id order.Identifier) string {
			return fmt.Sprintf(`[{"paymentDocumentNumber":"1","bin":"190640017419","budgetClassificationCode":"106104","dateOfBudgetEnrollment":"05.11.2026","ogdCode":"600901","paymentAmount":"1","paymentPurpose":"%s"}]`, id)
		}},
		{"revenue service, of the office", false, func(id order.Identifier) string {
			return fmt.Sprintf(`[{"paymentDocumentNumber":"2","bin":"190640017419","budgetClassificationCode":"106104","dateOfBudgetEnrollment":"05.11.2026","ogdCode":"700701","paymentAmount":"1","paymentPurpose":"%s"}]`, id)
		}},
		{"CSV code", true, func(id order.Identifier) string {
			return "day;no;sum;uin;ugd;bin\n05.11.2026;1;1,00;" + string(id) + ";6009;\n"
		}},
		{"CSV BIN", true, func(id order.Identifier) string {
			return "day;no;sum;uin;ugd;bin\n05.11.2026;2;1,00;" + string(id) + ";;" + another + "\n"
		}},
		{"CSV of the office", false, func(id order.Identifier) string {
			return "day;no;sum;uin;ugd;bin\n05.11.2026;3;1,00;" + string(id) + ";7007;" + ours + "\n"
		}},
	} {
		identifier := paidLine(t, pool, i+1, 100, time.Date(2026, 11, 4, 6, 0, 0, 0, time.UTC))
		check(t, o.run(t, o.statementCommand(), "import", "--data", data, "--mapping", mapping, writeTemp(t, test.text(identifier))))
		check(t, o.run(t, o.reconcileCommand(), "--data", data, "--day", "2026-11-05", "--json"))
		got, found := printed[dossier.Reconciliation](t, o), ""
		for _, e := range got.Exceptions {
			if e.Identifier == string(identifier) {
				found = e.Code
			}
		}
		want := ""
		if test.wrong {
			want = string(fault.WrongOffice)
		}
		if found != want || got.Lines != i+1 || got.Matched+got.ExceptionCount != i+1 {
			t.Errorf("%s: %q, %d matched and %d exceptions of %d lines", test.name, found, got.Matched, got.ExceptionCount, got.Lines)
		}
	}
}

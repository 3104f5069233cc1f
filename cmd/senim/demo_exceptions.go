package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox"
)

// strayTiyn is the one line of the stray statement: money of the trader that
// names no payment.
const strayTiyn = 12_345_67

// exceptions takes the day's statement again, which has grown by what was paid
// since, and another file with a line that nobody can place, and has the
// exceptions worked: the operator proposes, the controller approves.
func (d *demo) exceptions(ctx context.Context) error {
	if err := d.importStray(ctx); err != nil {
		return err
	}
	if err := d.importDays(ctx); err != nil {
		return err
	}
	open, err := d.openExceptions(ctx)
	if err != nil {
		return err
	}
	var stray []uuid.UUID
	for _, e := range open {
		d.tell(sayException, e.Reason, display(e.AmountTiyn))
		if e.AmountTiyn == strayTiyn {
			stray = append(stray, e.ID)
		}
	}
	if len(stray) != 1 {
		return fault.New(fault.Internal, "exceptions", "%d of the stray line", len(stray))
	}
	return d.resolve(ctx, stray, api.WorkExceptions{Exceptions: stray, Act: "propose", Resolution: new(api.Resolution("advance")), Target: new(string(sandbox.CompanyBIN))})
}

// importStray brings a file that the treasury's operator wrote by hand.
func (d *demo) importStray(ctx context.Context) error {
	day := kz.DayOf(d.now())
	mt940 := fmt.Sprintf(":20:STRAY\r\n:25:KZ24070105KSN0000000\r\n:28C:900/1\r\n:60F:C%[1]sKZT0,00\r\n:61:%[1]sC12345,67NTRFSTRAY-1//KKM0001\r\n:86:/NAME/Dala Import/IDN/%[2]s/ASSIGN/аванс\r\n:62F:C%[1]sKZT12345,67\r\n",
		day.String()[2:4]+day.String()[5:7]+day.String()[8:10], sandbox.CompanyBIN)
	return d.treasury.call(ctx, request{
		method: http.MethodPost, path: "/v1/statements?name=stray.mt940", contentType: "text/plain", body: []byte(mt940), idempotencyKey: uuid.NewString(),
	}, nil)
}

func (d *demo) openExceptions(ctx context.Context) ([]api.Exception, error) {
	var page api.Exceptions
	err := d.treasury.call(ctx, request{method: http.MethodGet, path: "/v1/exceptions?state=open&limit=100"}, &page)
	return page.Exceptions, err
}

// resolve has two persons decide.
func (d *demo) resolve(ctx context.Context, ids []uuid.UUID, proposal api.WorkExceptions) error {
	body, err := json.Marshal(proposal)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	post := func(c *apiClient, path string, body []byte) error {
		return c.call(ctx, request{method: http.MethodPost, path: path, contentType: "application/json", body: body, idempotencyKey: uuid.NewString()}, nil)
	}
	if err := post(d.treasury, "/v1/exceptions/work", body); err != nil {
		return err
	}
	d.tell(sayProposed, *proposal.Resolution)
	if body, err = json.Marshal(api.DecideExceptions{Exceptions: ids}); err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	if err := post(d.controller, "/v1/exceptions/approvals", body); err != nil {
		return err
	}
	left, err := d.openExceptions(ctx)
	d.tell(sayApproved, len(left))
	return err
}

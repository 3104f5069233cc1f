package statement

import (
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/statement/internal/xmlpull"
)

// readEntry reads one Ntry and hands it on. What is wrong with its values spoils
// this entry only.
func (c *camt) readEntry(s *Statement) error {
	c.entry = Entry{Index: s.Entries, Offset: c.x.Offset(), Details: c.entry.Details[:0]}
	c.wrong = nil
	c.inEntry = true
	defer func() { c.inEntry = false }()
	var indicator string
	amountProblem := error(errNoAmount)
	e := &c.entry
	err := c.children(func(tag xmlpull.Tag) (err error) {
		var problem error
		switch tag {
		case tagNtryRef:
			return c.into(&e.Reference)
		case tagAcctSvcrRef:
			return c.into(&e.Servicer)
		case tagAmt:
			e.Amount, amountProblem, err = c.amount()
			return err
		case tagCdtDbtInd:
			return c.code(&indicator)
		case tagRvslInd:
			v, err := c.value()
			e.Reversal = string(v) == "true" || string(v) == "1"
			return err
		case tagSts:
			return c.status(&e.Status)
		case tagBookgDt:
			e.BookingDay, problem, err = c.date()
			c.spoil("BookgDt", problem)
			return err
		case tagValDt:
			e.ValueDay, problem, err = c.date()
			c.spoil("ValDt", problem)
			return err
		case tagBkTxCd:
			return c.transactionCode(&e.Code)
		case tagAddtlNtryInf:
			return c.into(&e.Info)
		case tagNtryDtls:
			return c.children(c.entryDetail)
		}
		return c.x.Skip()
	})
	if err != nil {
		return err
	}
	c.spoil("Amt", amountProblem)
	if e.Amount, err = e.Amount.direct(indicator); err != nil {
		c.spoil("CdtDbtInd", err)
	}
	for i := range e.Details {
		if d := &e.Details[i]; d.Amount != nil {
			d.Amount = &d.amount // the details may have moved since
			own := d.indicator
			if own == "" {
				own = indicator
			}
			if d.amount, err = d.amount.direct(own); err != nil {
				c.spoil("TxDtls/CdtDbtInd", err)
			}
		}
	}
	return c.emit(s, e, c.wrong)
}

// spoil notes the first thing that makes the entry unreadable.
func (c *camt) spoil(at string, problem error) {
	if problem != nil && c.wrong == nil {
		c.wrong = lineBad(problem, at)
	}
}

// status is a code by itself up to version 03, and in an element of its own
// after.
func (c *camt) status(target *string) error {
	for {
		kind, err := c.x.Next()
		if err != nil {
			return err
		}
		switch kind {
		case xmlpull.Start:
			if err := c.code(target); err != nil {
				return err
			}
		case xmlpull.Text:
			*target = c.intern(c.x.Text())
		case xmlpull.End:
			return nil
		}
	}
}

// transactionCode joins domain, family and subfamily, or takes the bank's own.
func (c *camt) transactionCode(target *string) error {
	var domain, family, subfamily, own string
	err := c.children(func(tag xmlpull.Tag) error {
		switch tag {
		case tagDomn:
			return c.children(func(tag xmlpull.Tag) error {
				switch tag {
				case tagCd:
					return c.code(&domain)
				case tagFmly:
					return c.children(func(tag xmlpull.Tag) error {
						switch tag {
						case tagCd:
							return c.code(&family)
						case tagSubFmlyCd:
							return c.code(&subfamily)
						}
						return c.x.Skip()
					})
				}
				return c.x.Skip()
			})
		case tagPrtry:
			return c.only(tagCd, &own)
		}
		return c.x.Skip()
	})
	if *target = own; domain != "" {
		*target = c.intern([]byte(domain + "/" + family + "/" + subfamily))
	}
	return err
}

// only reads one child that repeats a few values.
func (c *camt) only(wanted xmlpull.Tag, target *string) error {
	return c.children(func(tag xmlpull.Tag) error {
		if tag == wanted {
			return c.code(target)
		}
		return c.x.Skip()
	})
}

func (c *camt) entryDetail(tag xmlpull.Tag) error {
	if tag != tagTxDtls {
		return c.x.Skip()
	}
	e := &c.entry
	if len(e.Details) == detailsMax {
		return fault.New(fault.StatementMalformed, "/Ntry", "more than %d transactions in the entry at byte %d", detailsMax, e.Offset)
	}
	if len(e.Details) < cap(e.Details) {
		e.Details = e.Details[:len(e.Details)+1]
	} else {
		e.Details = append(e.Details, Detail{})
	}
	d := &e.Details[len(e.Details)-1]
	d.reset()
	return c.children(func(tag xmlpull.Tag) error { return c.detail(d, tag) })
}

// reset empties the detail and keeps its memory.
func (d *Detail) reset() {
	*d = Detail{
		References: d.References[:0], Text: d.Text[:0],
		Debtor: Party{IDs: d.Debtor.IDs[:0]}, Creditor: Party{IDs: d.Creditor.IDs[:0]},
	}
}

func (c *camt) detail(d *Detail, tag xmlpull.Tag) error {
	switch tag {
	case tagRefs:
		return c.children(func(tag xmlpull.Tag) error {
			switch tag {
			case tagAcctSvcrRef:
				return c.into(&d.Servicer)
			case tagEndToEndId:
				return c.into(&d.EndToEnd)
			case tagInstrId:
				return c.into(&d.Instruction)
			case tagTxId:
				return c.into(&d.Transaction)
			case tagMndtId:
				return c.into(&d.Mandate)
			}
			return c.x.Skip()
		})
	case tagAmt:
		return c.detailAmount(d)
	case tagAmtDtls: // up to version 03 the transaction's amount stands only here
		return c.within(tagTxAmt, func(tag xmlpull.Tag) error {
			if tag == tagAmt && d.Amount == nil {
				return c.detailAmount(d)
			}
			return c.x.Skip()
		})
	case tagCdtDbtInd:
		return c.code(&d.indicator)
	case tagRltdPties:
		return c.parties(d)
	case tagRltdAgts:
		return c.children(func(tag xmlpull.Tag) error {
			switch tag {
			case tagDbtrAgt:
				return c.agent(&d.Debtor.Agent)
			case tagCdtrAgt:
				return c.agent(&d.Creditor.Agent)
			}
			return c.x.Skip()
		})
	case tagPurp:
		return c.children(func(xmlpull.Tag) error { return c.code(&d.PurposeCode) })
	case tagRmtInf:
		return c.remittance(d)
	case tagBkTxCd:
		return c.transactionCode(&d.Code)
	case tagRtrInf:
		return c.returnInformation(d)
	case tagAddtlTxInf:
		return c.into(&d.Info)
	}
	return c.x.Skip()
}

// returnInformation reads why a payment came back. Version 01 calls the reason
// RtrRsn.
func (c *camt) returnInformation(d *Detail) error {
	d.Returned = true
	return c.children(func(tag xmlpull.Tag) error {
		switch tag {
		case tagRsn, tagRtrRsn:
			return c.children(func(xmlpull.Tag) error { return c.code(&d.ReturnReason) })
		}
		return c.x.Skip()
	})
}

func (c *camt) detailAmount(d *Detail) error {
	a, problem, err := c.amount()
	c.spoil("TxDtls/Amt", problem)
	d.amount = a
	d.Amount = &d.amount
	return err
}

// agent reads the BIC of a bank; the element has another name in each version.
func (c *camt) agent(target *string) error {
	return c.within(tagFinInstnId, func(tag xmlpull.Tag) error {
		switch tag {
		case tagBIC, tagBICFI:
			return c.code(target)
		}
		return c.x.Skip()
	})
}

func (c *camt) parties(d *Detail) error {
	return c.children(func(tag xmlpull.Tag) error {
		switch tag {
		case tagDbtr:
			return c.party(&d.Debtor)
		case tagCdtr:
			return c.party(&d.Creditor)
		case tagDbtrAcct:
			return c.within(tagId, func(tag xmlpull.Tag) error { return c.accountChoice(tag, &d.Debtor.Account) })
		case tagCdtrAcct:
			return c.within(tagId, func(tag xmlpull.Tag) error { return c.accountChoice(tag, &d.Creditor.Account) })
		}
		return c.x.Skip()
	})
}

// accountChoice reads the one child of an account's Id.
func (c *camt) accountChoice(tag xmlpull.Tag, target *string) error {
	switch tag {
	case tagIBAN:
		return c.into(target)
	case tagOthr:
		return c.children(func(tag xmlpull.Tag) error {
			if tag == tagId {
				return c.into(target)
			}
			return c.x.Skip()
		})
	}
	return c.x.Skip()
}

// party reads a PartyIdentification; since version 08 it stands one level
// further in.
func (c *camt) party(p *Party) error {
	return c.children(func(tag xmlpull.Tag) error {
		if tag == tagPty {
			return c.children(func(tag xmlpull.Tag) error { return c.partyField(p, tag) })
		}
		return c.partyField(p, tag)
	})
}

func (c *camt) partyField(p *Party, tag xmlpull.Tag) error {
	switch tag {
	case tagNm:
		return c.into(&p.Name)
	case tagId:
		return c.children(func(xmlpull.Tag) error { // OrgId or PrvtId
			return c.children(func(tag xmlpull.Tag) error {
				switch tag {
				case tagBICOrBEI, tagAnyBIC:
					return c.identification(p, "BIC")
				case tagOthr:
					return c.otherIdentification(p)
				}
				return c.x.Skip()
			})
		})
	}
	return c.x.Skip()
}

func (c *camt) identification(p *Party, scheme string) error {
	v, err := c.value()
	if err == nil && c.room(len(p.IDs), "Id") {
		p.IDs = append(p.IDs, Reference{scheme, c.keep(v)})
	}
	return err
}

func (c *camt) otherIdentification(p *Party) error {
	var id Reference
	err := c.children(func(tag xmlpull.Tag) error {
		switch tag {
		case tagId:
			return c.into(&id.Value)
		case tagSchmeNm:
			return c.children(func(xmlpull.Tag) error { return c.code(&id.Kind) })
		}
		return c.x.Skip()
	})
	if err == nil && c.room(len(p.IDs), "Id") {
		p.IDs = append(p.IDs, id)
	}
	return err
}

func (c *camt) remittance(d *Detail) error {
	return c.children(func(tag xmlpull.Tag) error {
		switch tag {
		case tagUstrd:
			return c.text(d)
		case tagStrd:
			return c.children(func(tag xmlpull.Tag) error {
				switch tag {
				case tagCdtrRefInf:
					return c.reference(d, tagRef, tagCdtrRef)
				case tagRfrdDocInf:
					return c.reference(d, tagNb, tagRfrdDocNb)
				case tagAddtlRmtInf:
					return c.text(d)
				}
				return c.x.Skip()
			})
		}
		return c.x.Skip()
	})
}

func (c *camt) text(d *Detail) error {
	v, err := c.value()
	if err == nil && c.room(len(d.Text), "RmtInf") {
		d.Text = append(d.Text, c.keep(v))
	}
	return err
}

// room reports whether one more block may be kept; an entry with too many is
// spoiled, for what is left out might matter.
func (c *camt) room(have int, at string) bool {
	if have < blocksMax {
		return true
	}
	c.spoil(at, fault.New(fault.StatementLineBad, "", "more than %d blocks", blocksMax))
	return false
}

// reference reads a typed number; its element has two names over the versions.
func (c *camt) reference(d *Detail, number, older xmlpull.Tag) error {
	var r Reference
	err := c.children(func(tag xmlpull.Tag) error {
		switch tag {
		case tagTp, tagCdtrRefTp, tagRfrdDocTp:
			return c.within(tagCdOrPrtry, func(xmlpull.Tag) error { return c.code(&r.Kind) })
		case number, older:
			return c.into(&r.Value)
		}
		return c.x.Skip()
	})
	if err == nil && r.Value != "" && c.room(len(d.References), "RmtInf") {
		d.References = append(d.References, r)
	}
	return err
}

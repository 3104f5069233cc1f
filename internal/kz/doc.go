// Package kz holds the small facts of Kazakhstan that every floor needs: the
// individual identification number (ЖСН/ИИН), the business identification
// number (БСН/БИН), the day in Asia/Almaty and the calendar of business days.
//
// It controls the format of the numbers, as set by the Law on national
// registers of identification numbers (№223 of 12.01.2007) and decree №406 of
// 22.05.2007. It does not say whether a number was ever issued or to whom:
// the control digit misses most errors in digit 11, so only a register
// answers that.
//
// An IIN is personal data: it prints masked, in fmt and in slog; JSON and SQL
// carry its digits. A BIN is public.
//
// Any package may import kz.
package kz

package fault

// Codes of reports.
const (
	ReportUnknown       Code = "report_unknown"
	ReportPeriodInvalid Code = "report_period_invalid"
	ReportFormatUnknown Code = "report_format_unknown"
	ReportTooLarge      Code = "report_too_large"

	ReportHistoryMissing Code = "report_history_missing"
)

var reportEntries = []Entry{
	{ReportUnknown, NotFound, "Мұндай есеп жоқ.", "Такого отчёта нет.", "There is no such report."},
	{ReportPeriodInvalid, BadInput, "Есептің кезеңі жарамсыз.", "Период отчёта неверен.", "The period of the report is not valid."},
	{ReportFormatUnknown, BadInput, "Мұндай есеп пішімі жоқ.", "Такого формата отчётов нет.", "There is no such format of reports."},
	{ReportTooLarge, TooLarge, "Есеп тым үлкен: кезеңді қысқартыңыз немесе басқа пішімді таңдаңыз.", "Отчёт слишком велик: сократите период или выберите другой формат.", "The report is too large: shorten the period or take another format."},
	{ReportHistoryMissing, Refused, "Сақталған тарих өткен күннің есебін дәл құруға жетпейді.", "Сохранённой истории недостаточно, чтобы точно составить отчёт за прошлый день.", "What is kept does not suffice for an exact report of an earlier day."},
}

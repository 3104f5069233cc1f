package fault

// Codes of facts that gateways tell, and of their posting.
const (
	FactInvalid      Code = "payment_fact_invalid"
	OriginalUnknown  Code = "original_payment_unknown"
	ReversalUnfit    Code = "reversal_unfit"
	SuspenseReleased Code = "suspense_released"
	PostingFailed    Code = "posting_failed"
)

var postingEntries = []Entry{
	{FactInvalid, BadInput, "Төлем туралы мәлімет қате.", "Сведения о платеже неверны.", "The fact of a payment is invalid."},
	{OriginalUnknown, Refused, "Қайтарып алынған төлем бізге әлі белгісіз.", "Отозванный платёж нам ещё не известен.", "The payment that was taken back is not known yet."},
	{SuspenseReleased, Refused, "Төлем қайтарып алынды, ал оның ақшасы әлдеқашан басқа мақсатқа берілген.", "Платёж отозван, а его деньги уже были переданы по назначению.", "The payment was taken back, and its money had been given on before."},
	{ReversalUnfit, Refused, "Қайтарып алу өз төлеміне сәйкес емес.", "Отзыв не подходит к своему платежу.", "The reversal does not fit its payment."},
	{PostingFailed, Refused, "Төлемді тапсырысқа жатқызу мүмкін болмады.", "Платёж не удалось отнести на заказ.", "The payment could not be put on its order."},
}

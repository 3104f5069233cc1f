package order

// Acts gives tests every act.
func Acts() []Act {
	return []Act{Present, Start, Authorise, Capture, Fail, Expire, Cancel, Part, Pay, Overpay, Empty, Repay, Return}
}

package xmlpull

// Tag gives tests that of the name of the last Start.
func (s *Scanner) Tag() Tag { return s.tag }

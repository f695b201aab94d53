package trace

func findings(r *Report) []Finding { return nil }

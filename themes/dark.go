package themes

func dark() Theme {
	return palette{
		name:       "dark",
		dark:       true,
		background: "#14171c",
		title:      "#9ecbff",
		dim:        "#9aa4b2",
		faint:      "#6b7685",
		label:      "#b4bdca",
		accent:     "#79b8ff",
		border:     "#5a6472",
		good:       "#6fcf7f",
		warn:       "#e8c14a",
		bad:        "#ff7b72",
		bar:        "#7d9cc0",
		track:      "#4a525e",
		series:     []string{"#6cb6ff", "#d8a6ff", "#4fd0d8", "#d9c8a9", "#ff9bd2", "#9aa7b8", "#8f86ff", "#b7e3f0"},
		heat:       []string{"#33425a", "#3f5a80", "#4b72a5", "#588ac6", "#74a5dc", "#95bfea", "#b9d8f5", "#e2f0fd"},
	}.theme()
}

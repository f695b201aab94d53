package themes

func highContrast() Theme {
	return palette{
		name:       "high-contrast",
		dark:       true,
		background: "#000000",
		title:      "#ffffff",
		dim:        "#d0d0d0",
		faint:      "#a8a8a8",
		label:      "#ffffff",
		accent:     "#5fd7ff",
		border:     "#b0b0b0",
		good:       "#5fff5f",
		warn:       "#ffff00",
		bad:        "#ff8787",
		bar:        "#c6dcff",
		track:      "#6c6c6c",
		series:     []string{"#5fafff", "#ff9bff", "#00ffff", "#ffe8c0", "#b0b0ff", "#ffffff", "#ff87d7"},
		heat:       []string{"#4a5a70", "#6380a6", "#7da6d8", "#a3c8f5", "#d0e6ff", "#ffffff"},
	}.theme()
}

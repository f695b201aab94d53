package themes

func light() Theme {
	return palette{
		name:       "light",
		background: "#ffffff",
		title:      "#0b4a8f",
		dim:        "#5a6472",
		faint:      "#868f9b",
		label:      "#47505c",
		accent:     "#0a58ca",
		border:     "#98a1ad",
		good:       "#1a7f37",
		warn:       "#8a5a00",
		bad:        "#c4201b",
		bar:        "#4a6f9c",
		track:      "#c3cad3",
		series:     []string{"#0a58ca", "#8a35c4", "#007f8c", "#6e5a36", "#c2257f", "#5d6875", "#4b3fd0", "#2f7fb5"},
		heat:       []string{"#d3e2f4", "#b6cfec", "#95b8e1", "#719dd2", "#4f81bd", "#3567a3", "#1f4d85", "#0d3362"},
	}.theme()
}

package themes

// colourBlind keeps good, warn and bad apart for readers without red–green
// vision: blue, pale yellow, strong orange, which also differ in lightness.
func colourBlind() Theme {
	return palette{
		name:       "colour-blind",
		dark:       true,
		background: "#14171c",
		title:      "#e6e6e6",
		dim:        "#a5a9b0",
		faint:      "#747a83",
		label:      "#c0c4cb",
		accent:     "#8ecbff",
		border:     "#666c75",
		good:       "#3f9dff",
		warn:       "#fff3b0",
		bad:        "#ff8000",
		bar:        "#9a9fb5",
		track:      "#4d525b",
		series:     []string{"#a6d8ff", "#d0a5ff", "#c9c3b4", "#8d93ff", "#ffffff", "#7c8a96"},
		heat:       []string{"#3a3f4a", "#545b69", "#6f7788", "#8b94a6", "#a9b1c1", "#c8cedb", "#e9ecf3"},
	}.theme()
}
